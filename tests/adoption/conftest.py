"""What needs the real docker-compose is collected where there is one: in `make test-engines`."""

from tests.support.compose_made import real_compose

collect_ignore = [] if real_compose() else ["test_with_docker_compose.py"]
