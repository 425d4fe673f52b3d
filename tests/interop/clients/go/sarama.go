package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

type ibm struct {
	bootstrap []string
	version   sarama.KafkaVersion
	client    sarama.Client
	admin     sarama.ClusterAdmin
}

func newSarama(bootstrap string, old bool) client {
	c := ibm{bootstrap: []string{bootstrap}, version: sarama.MaxVersion}
	if old {
		c.version = sarama.V2_1_0_0
	}
	c.client = must(sarama.NewClient(c.bootstrap, c.config()))
	c.admin = must(sarama.NewClusterAdmin(c.bootstrap, c.config()))
	return c
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func (c ibm) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = c.version
	config.Metadata.AllowAutoTopicCreation = false
	config.Metadata.RefreshFrequency = short
	config.Metadata.Retry.Max = 0
	config.Consumer.Return.Errors = true
	config.Consumer.Retry.Backoff = 100 * time.Millisecond
	config.Producer.Return.Successes = true
	config.Producer.Retry.Max = 3
	config.Admin.Retry.Max = 0
	return config
}

// The administrator of this library hides the code in an error of the topic.
func saramaCode(err error) any {
	var topic *sarama.TopicError
	var partition *sarama.TopicPartitionError
	switch {
	case errors.As(err, &topic):
		return code(topic.Err)
	case errors.As(err, &partition):
		return code(partition.Err)
	}
	return code(err)
}

func (c ibm) create(topic string, partitions int, configs map[string]string) any {
	all := map[string]*string{}
	for key, value := range configs {
		all[key] = &value
	}
	detail := sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: all}
	return saramaCode(c.admin.CreateTopic(topic, &detail, false))
}

func (c ibm) remove(topic string) any { return saramaCode(c.admin.DeleteTopic(topic)) }

func (c ibm) grow(topic string, count int) any {
	return saramaCode(c.admin.CreatePartitions(topic, int32(count), nil, false))
}

func (c ibm) partitions(topic string) any {
	got, err := c.admin.DescribeTopics([]string{topic})
	if err != nil {
		return code(err)
	}
	if got[0].Err != sarama.ErrNoError {
		return code(got[0].Err)
	}
	return len(got[0].Partitions)
}

func (c ibm) offsets(topic string, partition int32, times []int64) (int64, int64, []any, error) {
	if err := c.client.RefreshMetadata(topic); err != nil {
		return 0, 0, nil, err
	}
	begin, err := c.client.GetOffset(topic, partition, sarama.OffsetOldest)
	end, err2 := c.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err := errors.Join(err, err2); err != nil {
		return 0, 0, nil, err
	}
	var found []any
	for _, t := range times {
		offset, err := c.client.GetOffset(topic, partition, t)
		if err != nil {
			return begin, end, found, err
		}
		found = append(found, offset)
	}
	return begin, end, found, nil
}

func (c ibm) producer(h how) producer {
	config := c.config()
	config.Producer.RequiredAcks = sarama.WaitForAll
	switch h.acks {
	case "0":
		config.Producer.RequiredAcks = sarama.NoResponse
	case "1":
		config.Producer.RequiredAcks = sarama.WaitForLocal
	}
	config.Producer.Compression = map[string]sarama.CompressionCodec{"gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[h.codec]
	config.Producer.Flush.Frequency = 5 * time.Millisecond
	if h.idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	if h.requestMax > 0 {
		config.Producer.MaxMessageBytes = int(h.requestMax)
	}
	if !h.byKey {
		config.Producer.Partitioner = sarama.NewManualPartitioner
	}
	config.Metadata.AllowAutoTopicCreation = h.autoCreate
	if h.autoCreate {
		config.Metadata.Retry.Max = 20 // the topic is on its way when it is asked for
	}
	return saramaProducer{must(sarama.NewSyncProducer(c.bootstrap, config))}
}

type saramaProducer struct{ sarama.SyncProducer }

func (p saramaProducer) send(topic string, records []record) []any {
	messages := make([]*sarama.ProducerMessage, len(records))
	for i, r := range records {
		messages[i] = &sarama.ProducerMessage{Topic: topic, Partition: r.partition, Timestamp: time.UnixMilli(r.at), Metadata: i}
		if r.key != nil {
			messages[i].Key = sarama.ByteEncoder(r.key)
		}
		if r.value != nil {
			messages[i].Value = sarama.ByteEncoder(r.value)
		}
		for _, h := range r.headers {
			messages[i].Headers = append(messages[i].Headers, sarama.RecordHeader{Key: []byte(h.key), Value: h.value})
		}
	}
	err := p.SendMessages(messages)
	result := make([]any, len(records))
	for i, m := range messages {
		result[i] = m.Offset
	}
	var faults sarama.ProducerErrors
	if errors.As(err, &faults) {
		for _, fault := range faults {
			result[fault.Msg.Metadata.(int)] = code(fault.Err)
		}
	} else if err != nil {
		panic(err)
	}
	return result
}

func (p saramaProducer) close() { p.Close() }

func (c ibm) follow(h reading) follower {
	config := c.config()
	config.Consumer.MaxWaitTime = max(h.wait, 20*time.Millisecond)
	if h.committed {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	if h.tight {
		config.Consumer.Fetch.Default = 100
	}
	client := must(sarama.NewClient(c.bootstrap, config))
	consumer := must(sarama.NewConsumerFromClient(client))
	return &saramaFollower{client, consumer, nil, make(chan *sarama.ConsumerMessage), make(chan error), make(chan struct{})}
}

type saramaFollower struct {
	client   sarama.Client
	consumer sarama.Consumer
	parts    []sarama.PartitionConsumer
	messages chan *sarama.ConsumerMessage
	errors   chan error
	done     chan struct{}
}

func (f *saramaFollower) add(topic string, partition int32, from start) error {
	offset := map[string]int64{"first": sarama.OffsetOldest, "end": sarama.OffsetNewest, "at": from.at}[from.kind]
	if from.kind == "since" {
		offset = must(f.client.GetOffset(topic, partition, from.at))
	}
	part, err := f.consumer.ConsumePartition(topic, partition, offset)
	if err != nil {
		return err
	}
	f.parts = append(f.parts, part)
	go func() {
		for m := range part.Messages() {
			select {
			case f.messages <- m:
			case <-f.done:
			}
		}
	}()
	go func() {
		for e := range part.Errors() {
			select {
			case f.errors <- e.Err:
			case <-f.done:
			}
		}
	}()
	return nil
}

func (f *saramaFollower) next(limit time.Duration) ([]seen, error) {
	select {
	case m := <-f.messages:
		one := seen{record{m.Key, m.Value, m.Timestamp.UnixMilli(), nil, m.Partition}, m.Offset, 0}
		for _, h := range m.Headers {
			one.headers = append(one.headers, header{string(h.Key), h.Value})
		}
		return []seen{one}, nil
	case err := <-f.errors:
		return nil, err
	case <-time.After(limit):
		return nil, nil
	}
}

func (f *saramaFollower) close() {
	close(f.done)
	for _, part := range f.parts {
		part.AsyncClose()
	}
	f.consumer.Close()
	f.client.Close()
}
