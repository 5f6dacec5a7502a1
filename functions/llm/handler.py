"""Lambda entry where responses are buffered; streams are served by run.sh."""

from atrium.web.lambda_entry import mangum_handler
from functions.llm.app import create_app

handler = mangum_handler(create_app())
