from kafka import KafkaProducer, KafkaConsumer

# 生产者配置
producer = KafkaProducer(bootstrap_servers='localhost:9092',
                        batch_size=16384,
                        linger_ms=1)

# 发送消息
for i in range(1000):
    producer.send('my-topic', str(i).encode(), partition=i % 2)
producer.flush()

# 消费者配置
consumer = KafkaConsumer('my-topic',
                         bootstrap_servers='localhost:9092',
                         value_deserializer=bytes.decode,
                         auto_offset_reset='earliest',
                         group_id='my-group')

# 消费消息
for message in consumer:
    print('Received message:', message.value)

# 关闭生产者消费者
producer.close()
consumer.close()
