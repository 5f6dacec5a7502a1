"""Lambda entry of the system area."""

from atrium.web.lambda_entry import mangum_handler
from functions.system.app import create_app

handler = mangum_handler(create_app())
