-- secret - does this digest open the key? The one in force does; after a rotation the one before
-- it does too, until its grace is over.
--
-- Needs common.lua. `current` is KID.sha, false where there is none (deleted, or no such key).
local function opens(kid, current, sha, now)
	if not current or current == sha then
		return current == sha
	end
	local old = call('HMGET', KEYS[1], kid .. '.old_sha', kid .. '.old_until')
	return old[1] == sha and whole(old[2], 0) > now
end
