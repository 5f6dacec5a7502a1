"""Lambda entry of the auth area."""

from atrium.web.lambda_entry import mangum_handler
from functions.auth.app import create_app

handler = mangum_handler(create_app())
