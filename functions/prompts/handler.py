"""Lambda entry of the prompts area."""

from atrium.web.lambda_entry import mangum_handler
from functions.prompts.app import create_app

handler = mangum_handler(create_app())
