#!/bin/sh
# The entry of a streaming area under Lambda Web Adapter: the same FastAPI app as the buffered handler, served by uvicorn.
# The adapter starts this file (AWS_LAMBDA_EXEC_WRAPPER=/opt/bootstrap) and forwards requests to AWS_LWA_PORT.
# Layers come before the bundle; what the caller already has on PYTHONPATH comes last.
export PYTHONPATH="/opt/python:${LAMBDA_TASK_ROOT:-$(dirname "$0")}${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m uvicorn --factory functions.llm.app:create_app \
    --host 127.0.0.1 --port "${AWS_LWA_PORT:-8000}" --no-access-log --log-level warning --timeout-keep-alive 75
