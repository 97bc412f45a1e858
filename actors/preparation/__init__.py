"""What hosts need before they start: environments, builds, folders; child processes and the sweep of what is left."""
