"""The same work in Celery: the module of its worker, and a program that enqueues as many tasks as each line of its input says."""

import os
import sys
import time

from celery import Celery

PAYLOAD = {"userId": 17, "template": "welcome", "locale": "en"}

app = Celery("celery_peer", broker=os.environ["CELERY_REDIS"], backend=os.environ["CELERY_REDIS"])
app.conf.update(
    # What its documentation advises for many short tasks.
    worker_prefetch_multiplier=50,
    # Quiet: the transport of Redis has no use for it.
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
