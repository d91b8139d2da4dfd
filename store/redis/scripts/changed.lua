-- Tells everybody of a change that was made in parts.
return done({'new'})
