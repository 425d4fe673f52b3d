#!/usr/bin/env bash
# What some of librdkafka's tests call as kafka-topics.sh of a Kafka distribution.
exec "$(dirname "${BASH_SOURCE[0]}")/../../kafka/kafka" class tools org.apache.kafka.tools.TopicCommand "$@"
