"""Who somebody is to a hub: organisations, accounts of persons and services, and the roles that they hold.

The nouns open nothing. What loads SQLAlchemy (`service`, `people_tables`) is imported by whoever has the hub's database open.
"""
