package main

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// One producer and one consumer live through all this; they look for changes every half second.
func (e *exercise) living() {
	p, f := e.producer(how{}), e.follow(reading{wait: 500 * time.Millisecond})
	defer p.close()
	defer f.close()
	see := func(wanted int) any {
		got, err := collect(f, wanted, 20*time.Second)
		if err != nil {
			return code(err)
		}
		return shown(got)
	}
	add := func(topic string, partition int32) any {
		return code(f.add(topic, partition, first))
	}
	in := func(partition int32) []record {
		return []record{{key: []byte("k"), value: []byte("v"), at: base, partition: partition}}
	}

	t := e.topic("grown", 1, nil)
	before := []any{p.send(t, in(0)), add(t, 0), see(1)}
	grown := []any{e.grow(t, 3), e.settled(t, 3)}
	e.saw("a partition is added", []any{before, grown, sent(p, t, in(2)), add(t, 2), see(1)})

	t = e.topic("later", 1, nil)
	e.saw("a topic is made", []any{sent(p, t, in(0)), add(t, 0), see(1)})

	e.waiting()
	e.deleted()
}

// Sends until the producer has learnt of the partition; the topic of an old id is not the one it knew.
func sent(p producer, topic string, records []record) []any {
	var got []any
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		got = p.send(topic, records)
		if _, ok := got[0].(int64); ok || got[0] == "error 100" {
			break
		}
	}
	return got
}

func (e *exercise) waiting() {
	t := e.topic("long-poll", 1, nil)
	f := e.follow(reading{wait: 6 * time.Second})
	defer f.close()
	if err := f.add(t, 0, end); err != nil {
		panic(err)
	}
	// time to find the end: what came before it did would not be seen
	if got, err := f.next(time.Second); len(got) > 0 || err != nil {
		panic("something to read in an empty topic")
	}
	begun := time.Now()
	e.produce(t, numbered(1, 0), how{})
	got, err := collect(f, 1, 20*time.Second)
	e.saw("a waiting consumer is woken", []any{digest(got), code(err), time.Since(begun) < 4*time.Second})
}

func (e *exercise) deleted() {
	t := e.topic("doomed", 1, nil)
	p, f := e.producer(how{}), e.follow(reading{wait: 500 * time.Millisecond})
	defer p.close()
	defer f.close()
	before := p.send(t, numbered(5, 0))
	code(f.add(t, 0, first))
	got, err := collect(f, 5, 20*time.Second)
	if e.name == "kafka-go" { // its reader asks for the topic in the way that makes it anew
		e.saw("deleted while in use", []any{before, digest(got), code(err), e.remove(t), told(f), e.end(t, 0)})
		return
	}
	gone := []any{e.remove(t), e.settled(t, "error 3")}
	e.saw("deleted while in use", []any{before, digest(got), code(err), gone, p.send(t, numbered(1, 5)), told(f)})
	again := []any{e.create(t, 1, nil), e.settled(t, 1), sent(p, t, numbered(1, 0))}
	e.saw("made again while in use", []any{again, e.end(t, 0)})
}

// What a consumer says when nothing more is there to be read. That its topic is gone has two codes: the fetch that
// waits tells 3, the one after it, by the topic's id, 100.
func told(f follower) any {
	got, err := f.next(20 * time.Second)
	if errors.Is(err, kerr.UnknownTopicID) {
		err = kerr.UnknownTopicOrPartition
	}
	if err != nil {
		return code(err)
	}
	return shown(got)
}

func (e *exercise) administration() {
	t := e.topic("admin", 1, nil)
	e.saw("topic exists", e.create(t, 1, nil))
	e.saw("no partitions", e.create(t+"2", 0, nil))
	e.saw("bad name", e.create("not a name", 1, nil))
	e.saw("bad config", e.create(t+"3", 1, map[string]string{"retention.ms": "soon"}))
	e.saw("unknown config", e.create(t+"4", 1, map[string]string{"no.such.thing": "1"}))
	e.saw("more partitions", []any{e.grow(t, 4), e.settled(t, 4)})
	e.saw("fewer partitions", e.grow(t, 2))
	e.saw("delete", []any{e.remove(t), e.settled(t, "error 3")})
	e.saw("delete again", e.remove(t))
	again := []any{e.create(t, 2, nil), e.settled(t, 2)}
	e.saw("made again", append(again, e.end(t, 0)))
}
