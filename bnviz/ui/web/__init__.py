"""Routes of the web server beside Streamlit: scripts, the feed of news, the short way of a slider."""
