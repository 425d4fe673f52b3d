from kafka import KafkaConsumer
import time

consumer = KafkaConsumer('topic1', bootstrap_servers=['localhost:9092'], auto_offset_reset='earliest')

def consume_kafka():
    for message in consumer:
        print('Received message: {}'.format(message))

consume_kafka()
