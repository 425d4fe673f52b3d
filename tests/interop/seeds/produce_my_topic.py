from kafka import KafkaProducer

# 生产者配置
producer = KafkaProducer(bootstrap_servers='localhost:9092',
                        batch_size=16384,
                        linger_ms=1)

# 发送消息
for i in range(1000):
    producer.send('my-topic', str(i).encode(), partition=i % 2)
producer.flush()

# 关闭生产者消费者
producer.close()
