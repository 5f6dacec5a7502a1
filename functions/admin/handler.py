"""Lambda entry."""

from atrium.web.lambda_entry import mangum_handler
from functions.admin.app import create_app

handler = mangum_handler(create_app())
