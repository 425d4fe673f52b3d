package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member of franz-go.
type franzOne struct {
	diary
	topic, commits string
	// The offset after what it has seen of each partition that it holds.
	seen map[int32]int64
	// Some of it is not committed, as far as it knows.
	dirty atomic.Bool
	count int
	steps franzSteps
}

// Once: a partition is paused for a while, resumed, and gone back in.
type franzSteps struct {
	wanted   bool
	paused   int32
	resumeAt time.Time
}

func franzMember(ctx context.Context, bootstrap, topic string, own spec, d diary) {
	m := &franzOne{diary: d, topic: topic, commits: own["commit"], seen: map[int32]int64{}}
	m.steps = franzSteps{wanted: own["steps"] != "", paused: -1}
	balancer := map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}[own["assignor"]]
	options := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(own["group"]), kgo.ConsumeTopics(topic),
		kgo.Balancers(balancer), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.SessionTimeout(own.session()), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, of map[string][]int32) {
			m.partitions("assigned", of[topic])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, c *kgo.Client, of map[string][]int32) {
			m.commit(c, true)
			m.gone(c, "revoked", of[topic])
		}),
		kgo.OnPartitionsLost(func(_ context.Context, c *kgo.Client, of map[string][]int32) {
			m.gone(c, "lost", of[topic])
		})}
	if id, static := own["instance"]; static {
		options = append(options, kgo.InstanceID(id))
	}
	if m.commits == "auto" {
		options = append(options, kgo.AutoCommitInterval(500*time.Millisecond), kgo.AutoCommitCallback(m.acknowledged))
	} else {
		options = append(options, kgo.DisableAutoCommit())
	}
	c := kgoClient(options)
	for ctx.Err() == nil {
		m.round(ctx, c)
		c.AllowRebalance()
	}
	m.commit(c, true)
	c.CloseAllowingRebalance()
}

// What one poll gives; no partition comes or goes before AllowRebalance.
func (m *franzOne) round(ctx context.Context, c *kgo.Client) {
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fetches := c.PollFetches(limited)
	for _, fault := range fetches.Errors() {
		if !errors.Is(fault.Err, context.DeadlineExceeded) && !errors.Is(fault.Err, context.Canceled) {
			m.say("error", fault.Err)
		}
	}
	fetches.EachRecord(func(r *kgo.Record) {
		m.say("saw", r.Partition, r.Offset, string(r.Value))
		m.seen[r.Partition] = r.Offset + 1
		m.dirty.Store(true)
		m.count++
	})
	flush()
	if m.dirty.Load() && m.commits != "auto" {
		m.commit(c, m.commits == "sync")
	}
	m.step(c)
}

func (m *franzOne) commit(c *kgo.Client, wait bool) {
	if len(m.seen) == 0 {
		return
	}
	offsets := map[string]map[int32]kgo.EpochOffset{m.topic: {}}
	for p, next := range m.seen {
		offsets[m.topic][p] = kgo.EpochOffset{Epoch: -1, Offset: next}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	m.dirty.Store(false)
	if !wait {
		c.CommitOffsets(ctx, offsets, func(c *kgo.Client, q *kmsg.OffsetCommitRequest, a *kmsg.OffsetCommitResponse, fault error) {
			m.acknowledged(c, q, a, fault)
			cancel()
		})
		return
	}
	defer cancel()
	c.CommitOffsetsSync(ctx, offsets, func(c *kgo.Client, q *kmsg.OffsetCommitRequest, a *kmsg.OffsetCommitResponse, fault error) {
		m.acknowledged(c, q, a, fault)
	})
}

func (m *franzOne) acknowledged(_ *kgo.Client, q *kmsg.OffsetCommitRequest, a *kmsg.OffsetCommitResponse, fault error) {
	if fault != nil {
		m.say("error", fault)
		m.dirty.Store(true)
		return
	}
	codes := map[int32]int16{}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			codes[p.Partition] = p.ErrorCode
		}
	}
	for _, t := range q.Topics {
		for _, p := range t.Partitions {
			code, answered := codes[p.Partition]
			if !answered || code != 0 {
				m.say("error", p.Partition, kerr.ErrorForCode(code))
				m.dirty.Store(true)
				continue
			}
			m.say("committed", p.Partition, p.Offset)
		}
	}
}

func (m *franzOne) gone(c *kgo.Client, how string, partitions []int32) {
	for _, p := range partitions {
		delete(m.seen, p)
		if m.steps.paused == p {
			m.steps.paused = -1
			c.ResumeFetchPartitions(map[string][]int32{m.topic: {p}}) // it would stay paused when it comes back
		}
	}
	m.partitions(how, partitions)
}

func (m *franzOne) step(c *kgo.Client) {
	s := &m.steps
	if !s.wanted {
		return
	}
	next, held := m.seen[s.paused]
	if s.paused < 0 && m.count > 30 {
		for p := range m.seen {
			s.paused = p
		}
		if s.paused < 0 {
			return
		}
		s.resumeAt = time.Now().Add(time.Second)
		c.PauseFetchPartitions(map[string][]int32{m.topic: {s.paused}})
		m.say("paused", s.paused)
	} else if held && time.Now().After(s.resumeAt) {
		back := max(0, next-5)
		m.say("resumed", s.paused)
		c.SetOffsets(map[string]map[int32]kgo.EpochOffset{m.topic: {s.paused: {Epoch: -1, Offset: back}}})
		m.say("seek", s.paused, back)
		c.ResumeFetchPartitions(map[string][]int32{m.topic: {s.paused}})
		s.wanted = false
	}
}
