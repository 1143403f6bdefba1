"""Celery's own settings and nothing else; loaded by name, imported by nobody.

The figures behind the choices were measured with Celery 5.7, kombu 5.7 and redis-py 8.1.
"""

import os  # not `environ`: Celery takes every public name for a setting, and shows all to Flower

from kombu import Exchange, Queue

from tasks import bad_settings
from tasks.addresses import CELERYS_SOCKET, for_celery, scheme_of
from tasks.celery_settings import CelerySettings
from tasks.settings import TasksSettings, default_redis_url, master_name

with bad_settings.in_one_line():
    CelerySettings()
    result_expires = TasksSettings().result_ttl_seconds  # as long as the API gives it

TIME_LIMIT_SECONDS = 60
VISIBILITY_TIMEOUT_SECONDS = 150  # > the time limit + the longest countdown + the shutdown's grace

# --- broker ---
broker_url = os.environ.get("CELERY_BROKER_URL") or for_celery(default_redis_url())
broker_connection_retry_on_startup = True  # the order of starting must not matter
broker_connection_max_retries = None  # the default gives up after 100 tries
broker_channel_error_retry = True  # OOM and MISCONF replies reconnect; else they end the worker
broker_connection_timeout = 2
broker_pool_limit = 10
broker_pool_acquire_timeout = 2
_options_of_redis = {
    "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
    # A worker whose main process was killed is noticed by the visibility timeout only; these two
    # say how soon after it its tasks come back: 5 s instead of up to 100 s.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 30,
    "socket_timeout": 5,  # without it a hung Redis hangs the worker for good
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,  # a half-open connection is found within 21 s
    "client_name": "petiole",
    "master_name": master_name() or None,  # Sentinels are asked for it
}
# The broker tells once it has a message on disk; else a message to a dying node is lost unnoticed.
_options_of_rabbitmq = {"confirm_publish": True}
_is_rabbitmq = scheme_of(broker_url) in ("amqp", "amqps", "pyamqp")
broker_transport_options = _options_of_rabbitmq if _is_rabbitmq else _options_of_redis

# --- results ---
result_backend = os.environ.get("CELERY_RESULT_BACKEND") or for_celery(default_redis_url())
result_backend_transport_options = {
    "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
    "retry_policy": {"timeout": 5.0},
    "master_name": master_name() or None,
}
result_backend_always_retry = True  # else a restart of Redis makes finished work a FAILURE
result_backend_max_retries = 30
result_backend_base_sleep_between_retries_ms = 100
result_backend_max_sleep_between_retries_ms = 1000
result_extended = False
result_serializer = "json"
result_accept_content = ["json"]
redis_socket_timeout = 5
redis_socket_connect_timeout = 2
redis_socket_keepalive = scheme_of(result_backend) != CELERYS_SOCKET  # a socket here has none
redis_backend_health_check_interval = 10
redis_max_connections = 20

# --- tasks ---
task_serializer = "json"
accept_content = ["json"]
event_serializer = "json"
# RabbitMQ keeps a message of such a queue on several nodes, and one that is restarted.
_kept = {"x-queue-type": "quorum"} if _is_rabbitmq else {}
_exchange = "topic" if _is_rabbitmq else "direct"  # Celery holds what is due later at such a one
task_queues = [
    Queue(name, Exchange(name, type=_exchange), routing_key=name, queue_arguments=_kept)
    for name in ("classify", "downloads", "bulk", "explain", "training")
]
task_routes = {"training.tasks.train": {"queue": "training"}}
task_default_queue = "classify"
# What a program links to its tasks waits in queues of its own; a worker that is told to take one
# which is not ours ends (`worker_start.keep_to`).
task_create_missing_queues = True
task_acks_late = True
task_retry_on_worker_lost = False  # the ledger sends such a job anew, and counts (tasks/jobs.py)
task_reject_on_worker_lost = False
task_acks_on_failure = True
task_acks_on_timeout = True
task_soft_time_limit = 45
task_time_limit = TIME_LIMIT_SECONDS  # the soft one does not interrupt a runtime's C++ code
task_track_started = False  # the job record has it, without three more commands a task
task_send_sent_event = False
task_publish_retry_policy = {
    "max_retries": 2,
    "interval_start": 0.1,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
task_always_eager = os.environ.get("CELERY_TASK_ALWAYS_EAGER", "").lower() in {"1", "true", "yes"}
task_store_eager_result = task_always_eager

# --- worker ---
worker_prefetch_multiplier = 1  # nothing hoarded: a free child anywhere takes the next picture
worker_proc_alive_timeout = 300  # the default 4 s kills every replacement that loads a model
worker_max_memory_per_child = 2_000_000  # KiB of peak RSS; checked after a task
worker_soft_shutdown_timeout = 10  # with REMAP_SIGTERM=SIGQUIT in the worker's environment
worker_cancel_long_running_tasks_on_connection_loss = False
worker_eta_task_limit = 1000
worker_send_task_events = True  # Flower
worker_consumer = "tasks.consumer:EventBatchingConsumer"
worker_hijack_root_logger = False
worker_redirect_stdouts = False
timezone = "UTC"
enable_utc = True
