package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

const short = 500 * time.Millisecond

// 0, Kafka's code, or the words of the client.
func code(err error) any {
	var franz *kerr.Error
	var ibm sarama.KError
	var segment kafka.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &franz):
		return fmt.Sprintf("error %d", franz.Code)
	case errors.As(err, &ibm):
		return fmt.Sprintf("error %d", int16(ibm))
	case errors.As(err, &segment):
		return fmt.Sprintf("error %d", int(segment))
	}
	return err.Error()
}

type franz struct {
	common []kgo.Opt
	admin  *kadm.Client
}

func newFranz(bootstrap string, old bool) client {
	common := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.MetadataMaxAge(short), kgo.MetadataMinAge(50 * time.Millisecond)}
	if old {
		common = append(common, kgo.MaxVersions(kversion.V2_1_0()))
	}
	return franz{common, kadm.NewClient(kgoClient(common))}
}

func kgoClient(options []kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(options...)
	if err != nil {
		panic(err)
	}
	return c
}

func (c franz) create(topic string, partitions int, configs map[string]string) any {
	all := map[string]*string{}
	for key, value := range configs {
		all[key] = &value
	}
	got, err := c.admin.CreateTopic(context.Background(), int32(partitions), 1, all, topic)
	return code(errors.Join(err, got.Err))
}

func (c franz) remove(topic string) any {
	got, err := c.admin.DeleteTopic(context.Background(), topic)
	return code(errors.Join(err, got.Err))
}

func (c franz) grow(topic string, count int) any {
	got, err := c.admin.UpdatePartitions(context.Background(), count, topic)
	return code(errors.Join(err, got[topic].Err))
}

func (c franz) partitions(topic string) any {
	got, err := c.admin.Metadata(context.Background(), topic)
	if err = errors.Join(err, got.Topics[topic].Err); err != nil {
		return code(err)
	}
	return len(got.Topics[topic].Partitions)
}

func (c franz) offsets(topic string, partition int32, times []int64) (int64, int64, []any, error) {
	ctx := context.Background()
	var numbers []kadm.ListedOffset
	add := func(got kadm.ListedOffsets, err error) error {
		one, _ := got.Lookup(topic, partition)
		numbers = append(numbers, one)
		return errors.Join(err, one.Err)
	}
	if err := errors.Join(add(c.admin.ListStartOffsets(ctx, topic)), add(c.admin.ListEndOffsets(ctx, topic))); err != nil {
		return 0, 0, nil, err
	}
	var found []any
	for _, t := range times {
		if err := add(c.admin.ListOffsetsAfterMilli(ctx, t, topic)); err != nil {
			return 0, 0, nil, err
		}
		last := numbers[len(numbers)-1]
		found = append(found, []any{last.Offset, last.Timestamp})
	}
	return numbers[0].Offset, numbers[1].Offset, found, nil
}

func (c franz) producer(h how) producer {
	options := append([]kgo.Opt{kgo.ProducerLinger(5 * time.Millisecond)}, c.common...)
	switch h.acks {
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !h.idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	codec := map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[h.codec]
	options = append(options, kgo.ProducerBatchCompression(codec))
	if h.requestMax > 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(h.requestMax))
	}
	if !h.byKey {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	if h.autoCreate {
		options = append(options, kgo.AllowAutoTopicCreation())
	}
	return franzProducer{kgoClient(options)}
}

type franzProducer struct{ *kgo.Client }

func (p franzProducer) send(topic string, records []record) []any {
	result := make([]any, len(records))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i, r := range records {
		one := &kgo.Record{Topic: topic, Key: r.key, Value: r.value, Timestamp: time.UnixMilli(r.at), Partition: r.partition}
		for _, h := range r.headers {
			one.Headers = append(one.Headers, kgo.RecordHeader{Key: h.key, Value: h.value})
		}
		p.Produce(ctx, one, func(done *kgo.Record, err error) {
			if result[i] = code(err); err == nil {
				result[i] = done.Offset
			}
		})
	}
	if err := p.Flush(ctx); err != nil {
		panic(err)
	}
	return result
}

func (p franzProducer) close() { p.Close() }

func (c franz) follow(h reading) follower {
	options := append([]kgo.Opt{kgo.KeepRetryableFetchErrors()}, c.common...)
	reset := kgo.NoResetOffset()
	if h.reset == "earliest" {
		reset = kgo.NewOffset().AtStart()
	}
	options = append(options, kgo.ConsumeResetOffset(reset), kgo.FetchMaxWait(max(h.wait, 20*time.Millisecond)))
	if h.committed {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if h.tight {
		options = append(options, kgo.FetchMaxBytes(100), kgo.FetchMaxPartitionBytes(100))
	}
	return franzFollower{kgoClient(options)}
}

type franzFollower struct{ *kgo.Client }

func (f franzFollower) add(topic string, partition int32, from start) error {
	offset := map[string]kgo.Offset{"first": kgo.NewOffset().AtStart(), "end": kgo.NewOffset().AtEnd(),
		"at": kgo.NewOffset().At(from.at), "since": kgo.NewOffset().AfterMilli(from.at)}[from.kind]
	f.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: offset}})
	return nil
}

func (f franzFollower) next(limit time.Duration) ([]seen, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	fetches := f.PollFetches(ctx)
	var got []seen
	fetches.EachRecord(func(r *kgo.Record) {
		one := seen{record{r.Key, r.Value, r.Timestamp.UnixMilli(), nil, r.Partition}, r.Offset, int(r.Attrs.TimestampType())}
		for _, h := range r.Headers {
			one.headers = append(one.headers, header{h.Key, h.Value})
		}
		got = append(got, one)
	})
	if err := fetches.Err0(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return got, err
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return got, e.Err
		}
	}
	return got, nil
}

func (f franzFollower) close() { f.Close() }
