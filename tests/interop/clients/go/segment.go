package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafka-go of segmentio.
type segment struct {
	bootstrap string
	client    *kafka.Client
}

func newSegment(bootstrap string) client {
	transport := &kafka.Transport{MetadataTTL: short}
	return segment{bootstrap, &kafka.Client{Addr: kafka.TCP(bootstrap), Transport: transport, Timeout: 10 * time.Second}}
}

func (c segment) create(topic string, partitions int, configs map[string]string) any {
	new := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for key, value := range configs {
		new.ConfigEntries = append(new.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	got, err := c.client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{new}})
	if err != nil {
		return code(err)
	}
	return code(got.Errors[topic])
}

func (c segment) remove(topic string) any {
	got, err := c.client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return code(err)
	}
	return code(got.Errors[topic])
}

func (c segment) grow(topic string, count int) any {
	new := []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(count)}}
	got, err := c.client.CreatePartitions(context.Background(), &kafka.CreatePartitionsRequest{Topics: new})
	if err != nil {
		return code(err)
	}
	return code(got.Errors[topic])
}

func (c segment) partitions(topic string) any {
	got, err := c.client.Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return code(err)
	}
	if got.Topics[0].Error != nil {
		return code(got.Topics[0].Error)
	}
	return len(got.Topics[0].Partitions)
}

func (c segment) offsets(topic string, partition int32, times []int64) (int64, int64, []any, error) {
	ask := func(asked ...kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
		topics := map[string][]kafka.OffsetRequest{topic: asked}
		got, err := c.client.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: topics})
		if err != nil {
			return kafka.PartitionOffsets{}, err
		}
		return got.Topics[topic][0], got.Topics[topic][0].Error
	}
	ends, err := ask(kafka.FirstOffsetOf(int(partition)), kafka.LastOffsetOf(int(partition)))
	if err != nil {
		return 0, 0, nil, err
	}
	var found []any
	for _, t := range times {
		got, err := ask(kafka.TimeOffsetOf(int(partition), time.UnixMilli(t)))
		if err != nil {
			return ends.FirstOffset, ends.LastOffset, found, err
		}
		var one []any
		for offset, when := range got.Offsets {
			one = append(one, offset, when.UnixMilli())
		}
		found = append(found, one)
	}
	return ends.FirstOffset, ends.LastOffset, found, nil
}

type place struct {
	index     int
	partition int32
}

// Puts a record where its place says. This library only lets a balancer choose, and it chooses among those it knows of.
func byHand(m kafka.Message, known ...int) int {
	wanted := int(m.WriterData.(place).partition)
	for _, p := range known {
		if p == wanted {
			return p
		}
	}
	panic(unknownPartition{})
}

type unknownPartition struct{}

func (c segment) producer(h how) producer {
	writer := &kafka.Writer{Addr: kafka.TCP(c.bootstrap), Balancer: kafka.BalancerFunc(byHand), BatchTimeout: 5 * time.Millisecond,
		RequiredAcks: kafka.RequireAll, MaxAttempts: 4, Transport: &kafka.Transport{MetadataTTL: short},
		AllowAutoTopicCreation: h.autoCreate}
	switch h.acks {
	case "0":
		writer.RequiredAcks = kafka.RequireNone
	case "1":
		writer.RequiredAcks = kafka.RequireOne
	}
	writer.Compression = map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4,
		"zstd": kafka.Zstd}[h.codec]
	if h.requestMax > 0 {
		writer.BatchBytes = int64(h.requestMax)
	}
	if h.byKey {
		writer.Balancer = kafka.Murmur2Balancer{}
	}
	if h.autoCreate {
		writer.MaxAttempts = 20 // the topic is on its way when it is asked for
	}
	return segmentProducer{writer}
}

type segmentProducer struct{ *kafka.Writer }

func (p segmentProducer) send(topic string, records []record) (result []any) {
	result = make([]any, len(records))
	messages := make([]kafka.Message, len(records))
	for i, r := range records {
		messages[i] = kafka.Message{Topic: topic, Key: r.key, Value: r.value, Time: time.UnixMilli(r.at), WriterData: place{i, r.partition}}
		for _, h := range r.headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: h.key, Value: h.value})
		}
	}
	// one partition's batches complete one after the other, and WriteMessages returns after the last
	p.Completion = func(done []kafka.Message, err error) {
		for _, m := range done {
			if at := m.WriterData.(place).index; err == nil {
				result[at] = m.Offset
			}
		}
	}
	defer func() {
		if fault := recover(); fault == (unknownPartition{}) {
			result = []any{"no such partition yet"}
		} else if fault != nil {
			panic(fault)
		}
	}()
	err := p.WriteMessages(context.Background(), messages...)
	var faults kafka.WriteErrors
	if errors.As(err, &faults) {
		for i, fault := range faults {
			if fault != nil {
				result[i] = code(fault)
			}
		}
	} else if err != nil {
		for i := range result {
			result[i] = code(err)
		}
	}
	return result
}

func (p segmentProducer) close() { p.Close() }

func (c segment) follow(h reading) follower {
	config := kafka.ReaderConfig{Brokers: []string{c.bootstrap}, MinBytes: 1, MaxBytes: 10_000_000,
		MaxWait: max(h.wait, 20*time.Millisecond), OffsetOutOfRangeError: true, ReadBackoffMin: 10 * time.Millisecond}
	if h.committed {
		config.IsolationLevel = kafka.ReadCommitted
	}
	if h.tight {
		config.MaxBytes = 100
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &segmentFollower{config, ctx, cancel, nil, make(chan kafka.Message), make(chan error)}
}

type segmentFollower struct {
	config   kafka.ReaderConfig
	ctx      context.Context
	cancel   context.CancelFunc
	readers  []*kafka.Reader
	messages chan kafka.Message
	errors   chan error
}

func (f *segmentFollower) add(topic string, partition int32, from start) error {
	config := f.config
	config.Topic, config.Partition = topic, int(partition)
	reader := kafka.NewReader(config)
	f.readers = append(f.readers, reader)
	var err error
	if from.kind == "since" {
		err = reader.SetOffsetAt(f.ctx, time.UnixMilli(from.at))
	} else {
		err = reader.SetOffset(map[string]int64{"first": kafka.FirstOffset, "end": kafka.LastOffset, "at": from.at}[from.kind])
	}
	go func() {
		for {
			m, err := reader.ReadMessage(f.ctx)
			if f.ctx.Err() != nil {
				return
			}
			if err != nil {
				select {
				case f.errors <- err:
				case <-f.ctx.Done():
				}
				return
			}
			select {
			case f.messages <- m:
			case <-f.ctx.Done():
			}
		}
	}()
	return err
}

func (f *segmentFollower) next(limit time.Duration) ([]seen, error) {
	select {
	case m := <-f.messages:
		one := seen{record{m.Key, m.Value, m.Time.UnixMilli(), nil, int32(m.Partition)}, m.Offset, 0}
		for _, h := range m.Headers {
			one.headers = append(one.headers, header{h.Key, h.Value})
		}
		return []seen{one}, nil
	case err := <-f.errors:
		return nil, err
	case <-time.After(limit):
		return nil, nil
	}
}

func (f *segmentFollower) close() {
	f.cancel()
	for _, reader := range f.readers {
		reader.Close()
	}
}
