package main

import (
	"bytes"
	"fmt"
	"time"
)

func megabyte() []byte {
	data := make([]byte, 999_000)
	for i := range data {
		data[i] = byte(i*31 + i>>8)
	}
	return data
}

func (e *exercise) producing() {
	for _, acks := range []string{"0", "1", "all"} {
		t := e.topic("acks-"+acks, 1, nil)
		offsets := e.produce(t, numbered(50, 0), how{acks: acks})
		for begun := time.Now(); e.end(t, 0) < 50 && time.Since(begun) < 20*time.Second; {
			time.Sleep(50 * time.Millisecond)
		}
		e.saw("acks "+acks, []any{offsets[0], offsets[49], e.digest(t, first, reading{})})
	}

	t := e.topic("shapes", 1, nil)
	some := []header{{"a", []byte("1")}, {"a", []byte("2")}, {"empty", []byte{}}}
	e.produce(t, []record{
		plain(nil, []byte("only a value")), plain([]byte("only a key"), nil), plain([]byte{}, []byte{}),
		{key: []byte("key"), value: []byte("value"), at: base + 5, headers: some},
		{key: []byte{0, 255}, value: []byte{254, 1}, at: 1}, plain(nil, nil),
		{value: []byte{}, at: base, headers: []header{{"null", nil}}},
	}, how{})
	got, _ := e.read(t, 1, first, reading{})
	e.saw("shapes", shown(got))
	e.sizes()

	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t = e.topic("codec-"+codec, 1, nil)
		e.produce(t, padded(300), how{codec: codec})
		e.saw("codec "+codec, e.digest(t, first, reading{}))
	}
	t = e.topic("recompressed", 1, map[string]string{"compression.type": "zstd"})
	e.produce(t, padded(300), how{codec: "gzip"})
	e.saw("recompressed by the broker", e.digest(t, first, reading{}))

	if e.name != "kafka-go" { // which has no idempotent producer
		t = e.topic("idempotent", 1, nil)
		one := e.produce(t, numbered(1000, 0), how{idempotent: true})
		two := e.produce(t, numbered(1000, 1000), how{idempotent: true})
		e.saw("idempotent", []any{rising(one, 0), rising(two, 1000), e.digest(t, first, reading{})})
	}

	t = e.topic("append-time", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	before := time.Now().UnixMilli()
	e.produce(t, numbered(3, 0), how{})
	got, _ = e.read(t, 1, first, reading{})
	stamps := []any{}
	for _, r := range got {
		stamps = append(stamps, []any{r.stamp, before <= r.at && r.at <= time.Now().UnixMilli()})
	}
	e.saw("log append time", stamps)
}

func (e *exercise) sizes() {
	t := e.topic("megabyte", 1, nil)
	data := megabyte()
	offsets := e.produce(t, repeated(3, plain([]byte("big"), data)), how{})
	e.saw("records of a megabyte", []any{offsets, e.digest(t, first, reading{})})
	offsets = e.produce(t, []record{plain([]byte("big"), append(bytes.Clone(data), data...))}, how{requestMax: 5_000_000})
	e.saw("too large", []any{offsets, e.end(t, 0)})
	t = e.topic("small-limit", 1, map[string]string{"max.message.bytes": "1000"})
	e.saw("too large for the topic", []any{
		e.produce(t, []record{plain([]byte("k"), data[:1200])}, how{}),
		e.produce(t, []record{plain([]byte("k"), []byte("v"))}, how{})})
	t = e.topic("limits", 1, nil)
	for range 10 {
		e.produce(t, []record{plain([]byte("k"), data[:5000])}, how{})
	}
	e.saw("batches above every fetch limit", e.digest(t, first, reading{tight: true}))
	t = e.topic("compacted", 1, map[string]string{"cleanup.policy": "compact"})
	e.saw("no key in a compacted topic", e.produce(t, []record{plain(nil, []byte("v"))}, how{}))
}

// Numbered records that every codec makes smaller: franz-go sends a batch plain if its codec does not.
func padded(count int) []record {
	all := numbered(count, 0)
	for i := range all {
		all[i].value = append(all[i].value, bytes.Repeat([]byte("x"), 50)...)
	}
	return all
}

func rising(offsets []any, from int64) bool {
	for i, o := range offsets {
		if o != from+int64(i) {
			return false
		}
	}
	return true
}

func (e *exercise) seeking() {
	t := e.topic("spread", 6, nil)
	var keyed []record
	for i := range 48 {
		key := fmt.Appendf(nil, "key-%d", i)
		keyed = append(keyed, plain(key, key))
	}
	e.produce(t, keyed, how{byKey: true})
	got, _ := e.read(t, 6, first, reading{})
	placed := []any{}
	for _, r := range got {
		placed = append(placed, []any{r.partition, text(r.key)})
	}
	e.saw("keys spread over partitions", placed)

	t = e.topic("seek", 1, nil)
	for _, part := range [][2]int{{30, 0}, {1, 30}, {39, 31}, {30, 70}} {
		e.produce(t, numbered(part[0], part[1]), how{})
	}
	begin, end, times, err := e.offsets(t, 0, []int64{base - 1, base, base + 40_000, base + 40_500, base + 99_000, base + 99_001})
	e.saw("offsets", []any{begin, end, times, code(err)})
	e.saw("all after seeking to the beginning", e.digest(t, first, reading{}))
	got, _ = e.read(t, 1, at(37), reading{})
	e.saw("seeking into a batch", shown(got[:1]))
	e.saw("the rest from there", digest(got))
	got, _ = e.read(t, 1, at(99), reading{})
	e.saw("the last one", shown(got))
	f := e.follow(reading{})
	if err := f.add(t, 0, since(base+40_500)); err != nil {
		panic(err)
	}
	got, err = collect(f, 59, time.Minute)
	e.saw("from a timestamp", []any{digest(got), code(err)})
	f.close()
	e.saw("read committed", e.digest(t, first, reading{committed: true}))
	e.saw("offset out of range", e.digest(t, at(100_000), reading{}))
	if e.name == "franz-go" || e.name == "franz-go-2.1" { // the only one that goes back by itself
		e.saw("offset out of range, reset to earliest", e.digest(t, at(100_000), reading{reset: "earliest"}))
	}
	e.saw("unknown topic", e.partitions(e.prefix+"-unknown"))
	t = e.prefix + "-made-by-itself"
	p := e.producer(how{autoCreate: true})
	defer p.close()
	e.saw("topic made by producing", []any{sent(p, t, numbered(3, 0)), e.settled(t, 1), e.digest(t, first, reading{})})
}
