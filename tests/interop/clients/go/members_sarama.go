package main

import (
	"context"
	"time"

	"github.com/IBM/sarama"
)

// A member of sarama. Its commits are acknowledged to nobody: it asks the broker what is committed.
type saramaOne struct {
	diary
	group, topic string
	auto         bool
	admin        sarama.ClusterAdmin
}

func saramaMember(ctx context.Context, bootstrap, topic string, own spec, d diary) {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Return.Errors = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = own["commit"] == "auto"
	config.Consumer.Offsets.AutoCommit.Interval = 500 * time.Millisecond
	config.Consumer.Group.Session.Timeout = own.session()
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.InstanceId = own["instance"]
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{map[string]func() sarama.BalanceStrategy{
		"range": sarama.NewBalanceStrategyRange, "roundrobin": sarama.NewBalanceStrategyRoundRobin,
		"sticky": sarama.NewBalanceStrategySticky, "cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
	}[own["assignor"]]()}
	m := &saramaOne{d, own["group"], topic, own["commit"] == "auto", must(sarama.NewClusterAdmin([]string{bootstrap}, config))}
	group := must(sarama.NewConsumerGroup([]string{bootstrap}, own["group"], config))
	go func() {
		for fault := range group.Errors() {
			m.say("error", fault)
		}
	}()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{topic}, m); err != nil {
			m.say("error", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	if err := group.Close(); err != nil {
		m.say("error", err)
	}
}

func (m *saramaOne) Setup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaOne) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// A partition from the moment it is this member's until it is taken away.
func (m *saramaOne) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	own := []int32{claim.Partition()}
	m.partitions("assigned", own)
	defer m.partitions("revoked", own)
	seen, committed := int64(-1), int64(-1)
	commit := func() {
		flush()
		if seen == committed {
			return
		}
		session.MarkOffset(m.topic, own[0], seen, "")
		if !m.auto {
			session.Commit()
		}
		if got := m.committed(own[0]); got != committed && got >= 0 {
			committed = got
			m.say("committed", own[0], got)
		}
	}
	defer commit()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case r, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.say("saw", r.Partition, r.Offset, string(r.Value))
			seen = r.Offset + 1
		case <-tick.C:
			commit()
		}
	}
}

func (m *saramaOne) committed(partition int32) int64 {
	answer, err := m.admin.ListConsumerGroupOffsets(m.group, map[string][]int32{m.topic: {partition}})
	if err != nil {
		m.say("error", err)
		return -1
	}
	block := answer.GetBlock(m.topic, partition)
	if block == nil || block.Err != sarama.ErrNoError {
		return -1
	}
	return block.Offset
}
