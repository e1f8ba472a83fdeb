"""The same work in Celery: the module of its worker, and a program that enqueues tasks.

Each line of the program's input is the number of tasks to enqueue.
"""

import os
import sys
import time

from celery import Celery

PAYLOAD = {"userId": 17, "template": "welcome", "locale": "en"}

app = Celery("celery_peer", broker=os.environ["CELERY_REDIS"], backend=os.environ["CELERY_REDIS"])
app.conf.update(
    # Celery's documentation recommends this for many short tasks.
    worker_prefetch_multiplier=50,
    # No events, because the comparison does not use them.
    worker_send_task_events=False,
    result_expires=3600,
)


@app.task(name="mails.send")
def send(mail):
    pass


if __name__ == "__main__":
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            send.delay(PAYLOAD)
        print(time.perf_counter() - start, flush=True)
