"""What answers for a deployment of several runners."""
