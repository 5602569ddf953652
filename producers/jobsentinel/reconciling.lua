--[[ The second half of the ledger's script: the roles that one worker of the fleet holds at a time,
and what the reconciler, who is one of them, does in one call.

It looks at the jobs that are due for a look, at most `limit` of each kind a turn, and never walks
over a queue. ]]

local function expire_leases(limit, max_attempts)
  local ids = redis.call('ZRANGEBYSCORE', LEASES, '-inf', NOW, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    if not condemned(id) then
      local state, attempts, owner, cancel = unpack(get(id, 'state', 'attempts', 'owner', 'cancel'))
      if state ~= 'running' then
        redis.call('ZREM', LEASES, id)
      elseif cancel then
        close(id, 'cancelled', 3600000)
      elseif tonumber(attempts) >= tonumber(max_attempts) then
        bury(id, 'attempts', 'worker ' .. (owner or '?') .. ' vanished at attempt ' .. attempts)
      else
        put_back(id, 0)
      end
    end
  end
  return #ids
end

local function send_due(limit)
  local ids = redis.call('ZRANGEBYSCORE', DELAYED, '-inf', NOW, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    redis.call('ZREM', DELAYED, id)
    if not condemned(id) and redis.call('HGET', job_key(id), 'state') == 'queued' then send(id) end
  end
  return #ids
end

-- A running job looks at its deadline itself.
local function expire_queued(limit)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'LIMIT', 0, limit)) do
    redis.call('ZREM', DEADLINES, id)
    if not condemned(id) and redis.call('HGET', job_key(id), 'state') == 'queued' then expire(id) end
  end
end

local function resend(id)
  if redis.call('HINCRBY', job_key(id), 'resent', 1) > UNCLAIMED_CAP then
    bury(id, 'unclaimed', 'its message was taken ' .. UNCLAIMED_CAP .. ' times and never claimed: '
      .. 'workers do not know its task, or cannot start')
  else
    send(id)
  end
end

-- Queues are first in, first out: a job sent before the oldest message still waiting in its queue
-- was popped, and when no worker has claimed it after grace_ms its message is lost. No list is
-- scanned, and the time of sending is renewed, so that a job is not sent again at each turn.
local function resend_lost(limit, grace_ms)
  local oldest, sent = {}, 0
  local ids = redis.call('ZRANGEBYSCORE', QUEUED, '-inf', NOW - grace_ms, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local flawed = condemned(id)
    local state, queue = unpack(get(id, 'state', 'queue'))
    if state ~= 'queued' then
      redis.call('ZREM', QUEUED, id)
    elseif not flawed then
      if oldest[queue] == nil then
        local message = redis.call('LINDEX', P .. queue, -1)
        local head = message and string.match(message, '"correlation_id": ?"([^"]+)"')
        oldest[queue] = head and tonumber(redis.call('ZSCORE', QUEUED, head) or 0) or math.huge
      end
      if tonumber(redis.call('ZSCORE', QUEUED, id)) < oldest[queue] then
        resend(id)
        sent = sent + 1
      end
    end
  end
  return sent
end

-- A clock that was set back would let leases last for as long as it was set back by.
local function mend_clock()
  local seen = tonumber(redis.call('HGET', CLOCK, 'seen'))
  if seen and NOW < seen - 1000 then
    redis.call('HINCRBY', CLOCK, 'offset', seen - NOW)
    NOW = seen
  end
  redis.call('HSET', CLOCK, 'seen', NOW)
end

-- One worker holds a role of the fleet at a time: its key is the role's name. All ask for the same
-- lease, so a role held for longer is left from before the clock was set back, and one without end
-- was never taken here.
local function hold_role(role, owner, lease_ms)
  local holder, left_ms = redis.call('GET', P .. role), redis.call('PTTL', P .. role)
  local lasting = left_ms >= 0 and left_ms <= tonumber(lease_ms)
  if holder and holder ~= owner and lasting then return false end
  redis.call('SET', P .. role, owner, 'PX', lease_ms)
  return true
end

-- hold role owner lease_ms -> 1 when the role is the owner's now, taken or renewed, or 0
function operations.hold(role, owner, lease_ms)
  return hold_role(role, owner, lease_ms) and 1 or 0
end

-- let_go role owner: others may have it at once, if it is the owner's
function operations.let_go(role, owner)
  if redis.call('GET', P .. role) == owner then redis.call('DEL', P .. role) end
end

-- reconcile owner leader_ms limit max_attempts grace_ms
--   -> {expired, due, resent}, or {} for all but the leader
function operations.reconcile(owner, leader_ms, limit, max_attempts, grace_ms)
  if not hold_role('leader', owner, leader_ms) then return {} end
  mend_clock()
  expire_queued(limit)
  return {
    expire_leases(limit, max_attempts), send_due(limit), resend_lost(limit, tonumber(grace_ms)),
  }
end

-- epoch fresh -> {epoch, 1 when it was made just now}
function operations.epoch(fresh)
  local made = redis.call('SETNX', P .. 'epoch', fresh)
  return { redis.call('GET', P .. 'epoch'), made }
end

return operations[ARGV[1]](unpack(ARGV, 2))
