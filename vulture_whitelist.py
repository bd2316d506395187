"""Names that vulture takes for dead, with who uses them; `make check` fails on any other.

Only attributes of `_` stand here, so the file is never run.
"""

_ = object()

# Read by a library that is handed the object.
_.text_factory  # sqlite3
_.connection_pool_maxsize  # the Kubernetes client's configuration
_.verify_ssl
_.tls_server_name
_.unraisablehook  # sys
_.instances_tracked  # moto's model registry
_.protocol_version  # http.server
_.log_request
_.collect  # prometheus_client's registry
_.map_entry  # protobuf
_.can_focus  # Textual's widgets
_.disabled
_.display

# Called by name: `cli/parser.py` imports a command's module when it runs.
_.open_app
_.sandbox_up
_.sandbox_inject
_.sandbox_status
_.sandbox_down
_.say_usage

# Fields of a journal, of an answer or of a page that is kept whole for who reads it there.
_.already  # of a change's outcome
_.page_served
_.config_hash
_.failed_pushes  # the users' counters are summed field by field
_.failed_queries
_.rule_evaluations
_.failed_rule_evaluations
_.server_errors

# What tests ask of the world that they drive.
_.last_kind  # of a run in the state folder
_.stderr_tail
_.changes_performed
_.failed_heartbeats
_.call_list
_.is_running
_.InProcessSandbox

# Parts of what is being built: not used yet.
_.conditional
_.Made
_.trust_statements
_.Dwell
_.up_seconds
_.unknown_clients
_.GOAL  # of the time that steps may take
_._run_input_thread  # Textual calls it
_.sock  # http.client reads it
_.sandbox_error
_.gate_wait  # entries of [hooks]: read by the names of HookPoint
_.step_done
_.failure
_.approval
