"""Access: what data controllers want, and what their terms allow."""
