--[[ The ledger: which jobs exist, who works on them, and what became of them.

Every operation is one call of this script, so it happens whole or not at all. Time is the
server's own (TIME), so workers' clocks do not matter. P is the namespace, "jobsentinel:" by default.

  P job:<id>            hash    one job
      state             queued | running | done | failed | cancelled
      task, queue       the contract's names
      payload           msgpack request; dropped when the job is done
      digest            SHA-256 of the payload, checked by the worker
      message           the Celery message, with @TAG@ where the delivery tag goes
      token             fencing token of the last claim; tokens only grow
      owner             the worker that made that claim
      attempts          claims so far that were not given back
      created           ms
      deadline          ms, absent when there is none
      cancel            "1" when somebody asked for it while the job ran
      progress          msgpack, the last word of a long run
      error, reason     why it failed last, and the kind of failure
      traceback         where, for those who look into a dead letter
      result            msgpack answer, written in the step that makes the job done
      closed            ms when it was done, failed or cancelled
  P leases              zset    running jobs by the ms their lease ends
  P queued              zset    queued jobs by the ms their message was last sent
  P delayed             zset    queued jobs by the ms their next attempt is due
  P dead                zset    failed jobs that no worker has written to the store yet
  P token               integer the last fencing token
  P leader              string  the worker that reconciles now
  P models              string  changes when a model in service changes
  P <queue>             list    Celery's queue; messages go in at the left, out at the right
  P closed:<id>         channel told the state in which the job was closed

KEYS[1] is P; ARGV[1] names the operation and ARGV[2...] are its arguments. Not for Redis Cluster,
which Celery's Redis transport does not support either. ]]

local P = KEYS[1]
local LEASES, QUEUED, DELAYED, DEAD = P .. 'leases', P .. 'queued', P .. 'delayed', P .. 'dead'
local clock = redis.call('TIME')
local NOW = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function job_key(id) return P .. 'job:' .. id end

local function get(id, ...) return redis.call('HMGET', job_key(id), ...) end

-- Tokens start at the clock, so that an emptied server does not go on below those that the store
-- has seen.
local function next_token()
  if redis.call('EXISTS', P .. 'token') == 0 then redis.call('SET', P .. 'token', NOW) end
  return redis.call('INCR', P .. 'token')
end

-- Sends the job's message; a delivery tag of its own keeps Celery from mixing up two copies.
local function send(id)
  local queue, message = unpack(get(id, 'queue', 'message'))
  local tag = id .. ':' .. next_token()
  message = string.gsub(message, '@TAG@', function() return tag end, 1)
  redis.call('ZADD', QUEUED, NOW, id)
  redis.call('LPUSH', P .. queue, message)
end

local function close(id, state, ttl_ms)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('HSET', job_key(id), 'state', state, 'closed', NOW)
  redis.call('HDEL', job_key(id), 'payload', 'message')
  redis.call('PEXPIRE', job_key(id), ttl_ms)
  redis.call('PUBLISH', P .. 'closed:' .. id, state)
end

-- The payload stays until a worker has written the dead letter to the store.
local function bury(id, reason, err)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('HSET', job_key(id), 'state', 'failed', 'reason', reason, 'error', err, 'closed', NOW)
  redis.call('ZADD', DEAD, NOW, id)
  redis.call('PUBLISH', P .. 'closed:' .. id, 'failed')
end

local function put_back(id, delay_ms)
  redis.call('ZREM', LEASES, id)
  redis.call('HSET', job_key(id), 'state', 'queued')
  redis.call('HDEL', job_key(id), 'owner')
  if delay_ms > 0 then
    redis.call('ZADD', DELAYED, NOW + delay_ms, id)
  else
    send(id)
  end
end

-- Only the holder of the newest token may speak for a running job.
local function holds(id, token)
  local state, newest = unpack(get(id, 'state', 'token'))
  return state == 'running' and newest == token
end

local operations = {}

-- enqueue id task queue payload digest message within_ms -> state before, or 'new'
-- A finished or waiting job of that id is left alone; a failed or cancelled one starts anew.
function operations.enqueue(id, task, queue, payload, digest, message, within)
  local before = redis.call('HGET', job_key(id), 'state')
  if before == 'queued' or before == 'running' or before == 'done' then return before end
  -- The first write is one that a full server refuses; after any other it would let all pass.
  redis.call('HSET', job_key(id), 'state', 'queued', 'task', task, 'queue', queue,
    'payload', payload, 'digest', digest, 'message', message, 'attempts', 0, 'created', NOW)
  redis.call('HDEL', job_key(id), 'token', 'owner', 'deadline', 'cancel', 'progress', 'error',
    'reason', 'traceback', 'result', 'closed')
  redis.call('PERSIST', job_key(id))
  redis.call('ZREM', DEAD, id)
  if within ~= '' then redis.call('HSET', job_key(id), 'deadline', NOW + tonumber(within)) end
  send(id)
  return before or 'new'
end

-- claim id owner lease_ms max_attempts
--   -> {verdict, token, payload, digest, attempts, task, ms left until the deadline or ''}
function operations.claim(id, owner, lease_ms, max_attempts)
  local state, deadline, attempts = unpack(get(id, 'state', 'deadline', 'attempts'))
  if not state then return { 'missing' } end
  if state ~= 'queued' then return { state } end
  if deadline and tonumber(deadline) <= NOW then
    bury(id, 'expired', 'its deadline passed before a worker was free')
    return { 'failed' }
  end
  if tonumber(attempts) >= tonumber(max_attempts) then
    bury(id, 'attempts', 'given up after ' .. attempts .. ' attempts')
    return { 'failed' }
  end
  local token = next_token()
  redis.call('HSET', job_key(id), 'state', 'running', 'token', token, 'owner', owner,
    'attempts', attempts + 1)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('ZADD', LEASES, NOW + tonumber(lease_ms), id)
  local payload, digest, task = unpack(get(id, 'payload', 'digest', 'task'))
  local left = deadline and tonumber(deadline) - NOW or ''
  return { 'claimed', token, payload, digest, attempts + 1, task, left }
end

-- renew lease_ms id token [id token ...] -> {verdict ...}: held | cancel | lost, in order
function operations.renew(lease_ms, ...)
  local pairs_of, verdicts = { ... }, {}
  for i = 1, #pairs_of, 2 do
    local id, token = pairs_of[i], pairs_of[i + 1]
    if not holds(id, token) then
      table.insert(verdicts, 'lost')
    else
      redis.call('ZADD', LEASES, NOW + tonumber(lease_ms), id)
      table.insert(verdicts, redis.call('HGET', job_key(id), 'cancel') and 'cancel' or 'held')
    end
  end
  return verdicts
end

-- complete id token ttl_ms result -> 1, or 0 when the lease is not this token's any more
function operations.complete(id, token, ttl_ms, result)
  if not holds(id, token) then return 0 end
  redis.call('HSET', job_key(id), 'result', result)
  close(id, 'done', ttl_ms)
  return 1
end

-- release id token: gives the job back untouched; the attempt does not count
function operations.release(id, token)
  if not holds(id, token) then return 0 end
  redis.call('HINCRBY', job_key(id), 'attempts', -1)
  put_back(id, 0)
  return 1
end

-- retry id token delay_ms max_attempts error traceback -> 'queued' | 'failed' | 'lost'
function operations.retry(id, token, delay_ms, max_attempts, err, traceback)
  if not holds(id, token) then return 'lost' end
  redis.call('HSET', job_key(id), 'traceback', traceback)
  if tonumber(redis.call('HGET', job_key(id), 'attempts')) >= tonumber(max_attempts) then
    bury(id, 'attempts', err)
    return 'failed'
  end
  redis.call('HSET', job_key(id), 'error', err)
  put_back(id, tonumber(delay_ms))
  return 'queued'
end

-- fail id token reason error: it can never work
function operations.fail(id, token, reason, err)
  if not holds(id, token) then return 0 end
  bury(id, reason, err)
  return 1
end

-- cancelled id token ttl_ms: the worker stopped because it was asked to
function operations.cancelled(id, token, ttl_ms)
  if not holds(id, token) then return 0 end
  close(id, 'cancelled', ttl_ms)
  return 1
end

-- cancel id ttl_ms -> state before; a running job is flagged and its worker stops it
function operations.cancel(id, ttl_ms)
  local state = redis.call('HGET', job_key(id), 'state')
  if state == 'queued' then close(id, 'cancelled', ttl_ms) end
  if state == 'running' then redis.call('HSET', job_key(id), 'cancel', '1') end
  return state
end

-- progress id token bytes
function operations.progress(id, token, bytes)
  if not holds(id, token) then return 0 end
  redis.call('HSET', job_key(id), 'progress', bytes)
  return 1
end

-- buried id ttl_ms: a worker wrote the dead letter to the store
function operations.buried(id, ttl_ms)
  redis.call('ZREM', DEAD, id)
  redis.call('HDEL', job_key(id), 'payload', 'message')
  redis.call('PEXPIRE', job_key(id), ttl_ms)
end

local function expire_leases(limit, max_attempts)
  local ids = redis.call('ZRANGEBYSCORE', LEASES, '-inf', NOW, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local attempts, owner, cancel = unpack(get(id, 'attempts', 'owner', 'cancel'))
    if not attempts then
      redis.call('ZREM', LEASES, id)
    elseif cancel then
      close(id, 'cancelled', 3600000)
    elseif tonumber(attempts) >= tonumber(max_attempts) then
      bury(id, 'attempts', 'worker ' .. (owner or '?') .. ' vanished at attempt ' .. attempts)
    else
      put_back(id, 0)
    end
  end
  return #ids
end

local function send_due(limit)
  local ids = redis.call('ZRANGEBYSCORE', DELAYED, '-inf', NOW, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    redis.call('ZREM', DELAYED, id)
    if redis.call('EXISTS', job_key(id)) == 1 then send(id) end
  end
  return #ids
end

-- Queues are first in, first out: a job sent before the oldest message still waiting in its queue
-- was popped, and when no worker has claimed it after grace_ms its message is lost. No list is
-- scanned, and the time of sending is renewed, so that a job is not sent again at each turn.
local function resend_lost(limit, grace_ms)
  local oldest, sent = {}, 0
  local ids = redis.call('ZRANGEBYSCORE', QUEUED, '-inf', NOW - grace_ms, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local queue = redis.call('HGET', job_key(id), 'queue')
    if not queue then
      redis.call('ZREM', QUEUED, id)
    else
      if oldest[queue] == nil then
        local message = redis.call('LINDEX', P .. queue, -1)
        local head = message and string.match(message, '"correlation_id": ?"([^"]+)"')
        oldest[queue] = head and tonumber(redis.call('ZSCORE', QUEUED, head) or 0) or math.huge
      end
      if tonumber(redis.call('ZSCORE', QUEUED, id)) < oldest[queue] then
        send(id)
        sent = sent + 1
      end
    end
  end
  return sent
end

-- reconcile owner leader_ms limit max_attempts grace_ms -> {expired, due, resent} or {} if not leader
function operations.reconcile(owner, leader_ms, limit, max_attempts, grace_ms)
  local leader = redis.call('GET', P .. 'leader')
  if leader and leader ~= owner then return {} end
  redis.call('SET', P .. 'leader', owner, 'PX', leader_ms)
  return {
    expire_leases(limit, max_attempts), send_due(limit), resend_lost(limit, tonumber(grace_ms)),
  }
end

return operations[ARGV[1]](unpack(ARGV, 2))
