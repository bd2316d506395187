"""What keeps pods as their objects say: the controllers and the kubelet."""
