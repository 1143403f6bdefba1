"""What is shipped: its parts, their licences, a bill of materials, and their known weaknesses.

It reads the locks and what is installed, and knows no room of the service.
"""
