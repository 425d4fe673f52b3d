package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
)

const base = int64(1_700_000_000_000)

type header struct {
	key   string
	value []byte
}

// A record as it is sent.
type record struct {
	key, value []byte
	at         int64
	headers    []header
	partition  int32
}

// A record as it was read. A library that does not say which kind the timestamp is leaves stamp at 0.
type seen struct {
	record
	offset int64
	stamp  int
}

func plain(key, value []byte) record { return record{key: key, value: value, at: base} }

func numbered(count, first int) []record {
	var all []record
	for i := first; i < first+count; i++ {
		all = append(all, record{key: fmt.Appendf(nil, "k%d", i), value: fmt.Appendf(nil, "v%d", i), at: base + int64(i)*1000})
	}
	return all
}

func repeated(count int, r record) []record {
	var all []record
	for range count {
		all = append(all, r)
	}
	return all
}

// What exercise.py's text() says of the same bytes.
func text(data []byte) any {
	if data == nil {
		return nil
	}
	if len(data) > 64 {
		return fmt.Sprintf("%d bytes %s", len(data), sum(data))
	}
	letters := make([]rune, len(data))
	for i, b := range data {
		letters[i] = rune(b)
	}
	return string(letters)
}

// As text, with the word that the Python programs print for nothing, so that the sums of all clients are equal.
func word(data []byte) string {
	if data == nil {
		return "None"
	}
	return text(data).(string)
}

func sum(data []byte) string {
	all := sha256.Sum256(data)
	return hex.EncodeToString(all[:])[:16]
}

func shown(records []seen) any {
	all := []any{}
	for _, r := range records {
		headers := []any{}
		for _, h := range r.headers {
			headers = append(headers, []any{h.key, text(h.value)})
		}
		all = append(all, map[string]any{
			"p": r.partition, "o": r.offset, "t": r.at, "type": r.stamp, "k": text(r.key), "v": text(r.value), "h": headers})
	}
	return all
}

// Of many records: how many, and a sum over all that was seen of each.
func digest(records []seen) any {
	var lines strings.Builder
	for _, r := range records {
		var headers []string
		for _, h := range r.headers {
			headers = append(headers, h.key+"="+word(h.value))
		}
		fmt.Fprintf(&lines, "%d|%d|%d|%d|%s|%s|%s\n",
			r.partition, r.offset, r.at, r.stamp, word(r.key), word(r.value), strings.Join(headers, ","))
	}
	return map[string]any{"count": len(records), "sum": sum([]byte(lines.String()))}
}

func sorted(records []seen) []seen {
	sort.SliceStable(records, func(i, j int) bool {
		a, b := records[i], records[j]
		return a.partition < b.partition || a.partition == b.partition && a.offset < b.offset
	})
	return records
}
