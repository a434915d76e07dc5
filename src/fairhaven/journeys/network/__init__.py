"""Use cases about other hubs: answer a task API, and serve one."""
