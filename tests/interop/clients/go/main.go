// What three Go clients see of a broker, as one JSON document: exercise CLIENT BOOTSTRAP PREFIX
// or members of groups, for ../../groups.rs: exercise members BOOTSTRAP TOPIC SPEC...
//
// CLIENT is franz-go, sarama or kafka-go; franz-go-2.1 and sarama-2.1 speak as they would to an Apache Kafka 2.1. The
// steps are those of exercise.py and a few about clients that live while topics change; see there. Every step makes
// topics of its own, named PREFIX-something, and all that the document holds is determined by this program and by the
// protocol. Errors are Kafka's codes, or what the client says of its own.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// How a producer is made. The zero value is acks=all, plain batches, partitions by hand.
type how struct {
	acks       string
	codec      string
	idempotent bool
	requestMax int32
	byKey      bool
	autoCreate bool
}

// How a follower is made.
type reading struct {
	committed bool
	tight     bool
	wait      time.Duration
	reset     string
}

// Where a follower begins in a partition.
type start struct {
	kind string // "first", "end", "at" an offset, or "since" a timestamp
	at   int64
}

var first, end = start{kind: "first"}, start{kind: "end"}

func at(offset int64) start { return start{"at", offset} }

func since(timestamp int64) start { return start{"since", timestamp} }

// One library.
type client interface {
	create(topic string, partitions int, configs map[string]string) any
	remove(topic string) any
	grow(topic string, count int) any
	// The number of partitions, or an error.
	partitions(topic string) any
	// Beginning, end, and for each time what the library says of it.
	offsets(topic string, partition int32, times []int64) (int64, int64, []any, error)
	producer(how) producer
	follow(reading) follower
}

type producer interface {
	// For each record its offset or an error.
	send(topic string, records []record) []any
	close()
}

type follower interface {
	add(topic string, partition int32, from start) error
	// Some records, or nothing within the limit.
	next(limit time.Duration) ([]seen, error)
	close()
}

func main() {
	if os.Args[1] == "members" {
		members(os.Args[2], os.Args[3], os.Args[4:])
		return
	}
	name, bootstrap, prefix := os.Args[1], os.Args[2], os.Args[3]
	make := map[string]func() client{
		"franz-go":     func() client { return newFranz(bootstrap, false) },
		"franz-go-2.1": func() client { return newFranz(bootstrap, true) },
		"sarama":       func() client { return newSarama(bootstrap, false) },
		"sarama-2.1":   func() client { return newSarama(bootstrap, true) },
		"kafka-go":     func() client { return newSegment(bootstrap) },
	}[name]
	e := exercise{make(), prefix, name, map[string]any{}, time.Now()}
	e.producing()
	e.seeking()
	e.living()
	e.administration()
	out, err := json.Marshal(e.document)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(out))
}

type exercise struct {
	client
	prefix, name string
	document     map[string]any
	begun        time.Time
}

func (e *exercise) saw(step string, what any) {
	e.document[step] = what
	fmt.Fprintf(os.Stderr, "%.1f %s\n", time.Since(e.begun).Seconds(), step)
}

func (e *exercise) topic(name string, partitions int, configs map[string]string) string {
	t := e.prefix + "-" + name
	if code := e.create(t, partitions, configs); code != 0 {
		panic(fmt.Sprintf("creating %s: %v", t, code))
	}
	for p := range partitions {
		e.end(t, int32(p))
	}
	return t
}

// The end of a partition, which may want a moment to be there.
func (e *exercise) end(topic string, partition int32) int64 {
	var last error
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		_, end, _, err := e.offsets(topic, partition, nil)
		if err == nil {
			return end
		}
		last = err
	}
	panic(fmt.Sprintf("no offsets of %s: %v", topic, last))
}

func (e *exercise) produce(topic string, records []record, h how) []any {
	p := e.producer(h)
	defer p.close()
	return p.send(topic, records)
}

// All records of a topic to the ends as they are now, by partition and offset; or the error that came instead.
func (e *exercise) read(topic string, partitions int, from start, h reading) ([]seen, any) {
	f := e.follow(h)
	defer f.close()
	wanted := int64(0)
	for p := range int32(partitions) {
		begin, _, _, err := e.offsets(topic, p, nil)
		if err != nil {
			return nil, code(err)
		}
		if from.kind == "at" && h.reset == "" {
			begin = from.at
		}
		wanted += max(e.end(topic, p)-begin, 0)
		if err := f.add(topic, p, from); err != nil {
			return nil, code(err)
		}
	}
	got, err := collect(f, int(max(wanted, 1)), time.Minute)
	if err != nil {
		return got, code(err)
	}
	return got, nil
}

// Reads until so many records are there.
func collect(f follower, wanted int, limit time.Duration) ([]seen, error) {
	var got []seen
	for begun := time.Now(); len(got) < wanted; {
		left := limit - time.Since(begun)
		if left < 0 {
			return got, fmt.Errorf("%d of %d records", len(got), wanted)
		}
		more, err := f.next(left)
		if err != nil {
			return got, err
		}
		got = append(got, more...)
	}
	return sorted(got), nil
}

func (e *exercise) digest(topic string, from start, h reading) any {
	got, fault := e.read(topic, 1, from, h)
	if fault != nil {
		return fault
	}
	return digest(got)
}

func (e *exercise) settled(topic string, wanted any) any {
	var got any
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		if got = e.partitions(topic); got == wanted {
			break
		}
	}
	return got
}
