package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What a member of a group is told (see ../../groups.rs).
type spec map[string]string

func (s spec) session() time.Duration {
	ms, err := time.ParseDuration(s["session"] + "ms")
	if err != nil {
		panic(err)
	}
	return ms
}

// Prints what befalls one member, as ../../groups/members.py does.
type diary struct{ who string }

var (
	page   = bufio.NewWriter(os.Stdout)
	paging sync.Mutex
)

func (d diary) say(event string, rest ...any) {
	words := []string{event}
	for _, one := range rest {
		words = append(words, strings.ReplaceAll(fmt.Sprint(one), "\n", " "))
	}
	paging.Lock()
	defer paging.Unlock()
	fmt.Fprintf(page, "%d %s %s\n", time.Now().UnixMicro(), d.who, strings.Join(words, " "))
}

func (d diary) partitions(event string, partitions []int32) {
	words := make([]any, len(partitions))
	for i, p := range partitions {
		words[i] = p
	}
	d.say(event, words...)
	flush()
}

func flush() {
	paging.Lock()
	defer paging.Unlock()
	page.Flush()
}

// Members of groups, each on its own: exercise members BOOTSTRAP TOPIC SPEC..., where a SPEC is `key=value,...`.
// SIGTERM closes them.
func members(bootstrap, topic string, specs []string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var all sync.WaitGroup
	for _, words := range specs {
		own := spec{}
		for _, pair := range strings.Split(words, ",") {
			key, value, _ := strings.Cut(pair, "=")
			own[key] = value
		}
		all.Go(func() {
			d := diary{own["group"] + " " + own["member"]}
			switch own["client"] {
			case "franz-go":
				franzMember(ctx, bootstrap, topic, own, d)
			case "sarama":
				saramaMember(ctx, bootstrap, topic, own, d)
			}
			d.say("closed")
			flush()
		})
	}
	all.Wait()
}
