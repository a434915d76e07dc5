"""What every page of the catalogue is made of: markup that cannot be built wrong, pieces of layout, small drawings."""
