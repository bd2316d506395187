"""Names that vulture takes for dead, with who uses them; `make check` fails on any other.

Only attributes of `_` stand here, so the file is never run.
"""

_ = object()

# Read by a library that is handed the object.
_.text_factory  # sqlite3
_.connection_pool_maxsize  # the Kubernetes client's configuration
_.unraisablehook  # sys
_.instances_tracked  # moto's model registry
_.protocol_version  # http.server
_.log_request
_.collect  # prometheus_client's registry
_.map_entry  # protobuf
_.can_focus  # Textual's widgets
_.disabled
_.display
_.NOTIFICATION_TIMEOUT  # Textual's app

# Called by name: `cli/parser.py` imports a command's module when it runs.
_.open_app
_.sandbox_up
_.sandbox_inject
_.sandbox_status
_.sandbox_down
_.say_usage

# Fields of a journal, of an answer or of a page that is kept whole for who reads it there.
_.page_served
_.config_hash
_.rule_evaluations
_.failed_rule_evaluations
_.server_errors

# What tests ask of the world that they drive.
_.last_kind  # of a run in the state folder
_.failed_heartbeats
_.call_list
_.is_running
_.InProcessSandbox

# Read by name, or only by who reads the file that it is kept in.
_.sock  # http.client
_.verify_ssl  # the Kubernetes client, of its configuration
_.ssl_ca_cert
_._run_input_thread  # Textual
_.gate_wait  # an entry of [hooks], by the name of its HookPoint
_.up_seconds  # of a finished row of `make real`
_.Made  # what a resource or module is to expressions; they take Any
