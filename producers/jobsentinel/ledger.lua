--[[ The ledger: which jobs exist, who works on them, and what became of them.

Every operation is one call of this script, so it happens whole or not at all. The script is this
file and reconciling.lua behind it. Time is the server's own (TIME) and an offset that keeps it from
going backwards, so workers' clocks do not matter. P is the namespace, "jobsentinel:" by default.

  P job:<id>            hash    one job
      state             queued | running | done | failed | cancelled
      task, queue       the contract's names
      payload           msgpack request; dropped when the job is done
      digest            SHA-256 of the payload, checked by the worker
      message           the Celery message, with @TAG@ where the delivery tag goes
      token             fencing token of the last claim; tokens only grow
      owner             the worker that made that claim
      attempts          claims so far that were not given back
      revived           "1" when it was given up before and sent again: the store may have its letter
      resent            messages sent again since the last claim, for want of one
      submission        names one sending of the job; the same sending twice changes nothing
      created           ms
      deadline          ms, absent when there is none
      cancel            "1" when somebody asked for it while the job ran
      progress          msgpack, the last word of a long run
      error, reason     why it failed last, and the kind of failure
      traceback         where, for those who look into a dead letter
      versions          JSON: the programs that failed at it
      result            msgpack answer, written in the step that makes the job done
      closed            ms when it was done, failed or cancelled
  P leases              zset    running jobs by the ms their lease ends
  P queued              zset    queued jobs by the ms their message was last sent
  P delayed             zset    queued jobs by the ms their next attempt is due
  P dead                zset    failed jobs that no worker has written to the store yet
  P deadlines           zset    jobs with a deadline, by its ms
  P token               integer the last fencing token
  P leader              string  the worker that reconciles now
  P reencoder           string  the worker that encodes postings anew now, after a change of encoder
  P epoch               string  made with the ledger: another one says that it was emptied
  P clock               hash    offset: ms to add to TIME; seen: the time of the last reconciling
  P rate:<name>         string  ms until which the rate of the producers of that name is used up
  P corrupt:<id>        any     what stood in the place of a job's hash
  P models              string  changes when a model in service changes
  P <queue>             list    Celery's queue; messages go in at the left, out at the right
  P closed:<id>         channel told the state in which the job was closed

KEYS[1] is P; ARGV[1] names the operation and ARGV[2...] are its arguments. Not for Redis Cluster,
which Celery's Redis transport does not support either. ]]

local P = KEYS[1]
local LEASES, QUEUED, DELAYED, DEAD = P .. 'leases', P .. 'queued', P .. 'delayed', P .. 'dead'
local DEADLINES, CLOCK = P .. 'deadlines', P .. 'clock'
local UNCLAIMED_CAP = 50
local KEEP_CORRUPT_S = 7 * 24 * 3600

local clock = redis.call('TIME')
local NOW = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
  + (tonumber(redis.call('HGET', CLOCK, 'offset')) or 0)

local function job_key(id) return P .. 'job:' .. id end

-- Of an entry that is no hash, every field is absent.
local function get(id, ...)
  local values = redis.pcall('HMGET', job_key(id), ...)
  return values.err and {} or values
end

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

local function leave_lists(id)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('ZREM', DEADLINES, id)
end

local function close(id, state, ttl_ms)
  leave_lists(id)
  redis.call('HSET', job_key(id), 'state', state, 'closed', NOW)
  redis.call('HDEL', job_key(id), 'payload', 'message')
  redis.call('PEXPIRE', job_key(id), ttl_ms)
  redis.call('PUBLISH', P .. 'closed:' .. id, state)
end

-- The payload stays until a worker has written the dead letter to the store.
local function bury(id, reason, err)
  leave_lists(id)
  redis.call('HSET', job_key(id), 'state', 'failed', 'reason', reason, 'error', err, 'closed', NOW)
  redis.call('PERSIST', job_key(id))
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

local STATES = { queued = true, running = true, done = true, failed = true, cancelled = true }

-- Says what keeps an entry from being worked with, or nil.
local function flaw(id)
  local kind = redis.call('TYPE', job_key(id)).ok
  if kind == 'none' then return nil end
  if kind ~= 'hash' then return 'is a ' .. kind .. ' and no hash' end
  local state, attempts, deadline = unpack(get(id, 'state', 'attempts', 'deadline'))
  if not state or not STATES[state] then return 'has the state ' .. tostring(state) end
  if state ~= 'queued' and state ~= 'running' then return nil end
  for _, field in ipairs({ 'task', 'queue', 'payload', 'digest', 'message' }) do
    if redis.call('HEXISTS', job_key(id), field) == 0 then return 'has no ' .. field end
  end
  if not tonumber(attempts) then return 'has attempts that are no number' end
  if deadline and not tonumber(deadline) then return 'has a deadline that is no number' end
  return nil
end

-- Gives a flawed entry up, rather than stumbling over it at each turn; true when it was one.
local function condemned(id)
  local what = flaw(id)
  if not what then return false end
  if redis.call('TYPE', job_key(id)).ok ~= 'hash' then
    redis.call('RENAME', job_key(id), P .. 'corrupt:' .. id)
    redis.call('EXPIRE', P .. 'corrupt:' .. id, KEEP_CORRUPT_S)
  end
  bury(id, 'corrupted', "the ledger's entry " .. what)
  return true
end

local operations = {}

-- The rate is a debt that may never exceed one second's worth before a job is let in, and a job
-- of many items may exceed it once; so nothing is too large to pass (GCRA: ATM Forum, Traffic
-- Management 4.0, 1996). Returns the ms to wait.
local function rate_wait(name)
  local used_until = tonumber(redis.call('GET', P .. 'rate:' .. name)) or NOW
  return math.max(0, math.ceil(used_until - NOW - 1000))
end

local function use_rate(name, per_s, items)
  local key = P .. 'rate:' .. name
  local from = math.max(NOW, tonumber(redis.call('GET', key)) or NOW)
  local until_ms = from + items * 1000 / tonumber(per_s)
  redis.call('SET', key, until_ms, 'PX', math.ceil(until_ms - NOW) + 1000)
end

-- enqueue id task queue payload digest message within_ms
--         [submission [max_queued [rate_name rate_per_s items]]]
--   -> state before, or 'new'; or, with nothing written, 'full' or 'wait:<ms>'
-- A finished or waiting job of that id is left alone; a failed or cancelled one starts anew,
-- unless this very submission made it.
function operations.enqueue(id, task, queue, payload, digest, message, within, submission,
    max_queued, rate_name, rate_per_s, items)
  condemned(id)
  local before, sent = unpack(get(id, 'state', 'submission'))
  if before == 'queued' or before == 'running' or before == 'done' then return before end
  if before and sent and sent ~= '' and sent == submission then return before end
  if (max_queued or '') ~= '' and redis.call('LLEN', P .. queue) >= tonumber(max_queued) then
    return 'full'
  end
  if (rate_name or '') ~= '' then
    local wait_ms = rate_wait(rate_name)
    if wait_ms > 0 then return 'wait:' .. wait_ms end
  end
  -- The first write is one that a full server refuses; after any other it would let all pass.
  redis.call('HSET', job_key(id), 'state', 'queued', 'task', task, 'queue', queue,
    'payload', payload, 'digest', digest, 'message', message, 'attempts', 0, 'created', NOW)
  redis.call('HDEL', job_key(id), 'token', 'owner', 'deadline', 'cancel', 'progress', 'error',
    'reason', 'traceback', 'versions', 'result', 'closed', 'resent')
  redis.call('HSET', job_key(id), 'submission', submission or '',
    'revived', before == 'failed' and '1' or '')
  redis.call('PERSIST', job_key(id))
  redis.call('ZREM', DEAD, id)
  if within ~= '' then
    redis.call('HSET', job_key(id), 'deadline', NOW + tonumber(within))
    redis.call('ZADD', DEADLINES, NOW + tonumber(within), id)
  end
  if (rate_name or '') ~= '' then use_rate(rate_name, rate_per_s, tonumber(items) or 1) end
  send(id)
  return before or 'new'
end

local function claimed(id, token)
  local payload, digest, task, attempts, deadline, revived =
    unpack(get(id, 'payload', 'digest', 'task', 'attempts', 'deadline', 'revived'))
  local left = deadline and tonumber(deadline) - NOW or ''
  return { 'claimed', token, payload, digest, tonumber(attempts), task, left, revived or '' }
end

local function expire(id)
  bury(id, 'expired', 'its deadline passed before a worker was free')
end

-- claim id owner lease_ms max_attempts
--   -> {verdict, token, payload, digest, attempts, task, ms left until the deadline or '', revived}
-- The owner names this very call: asked again because its answer was lost on the way, the claim
-- is the same.
function operations.claim(id, owner, lease_ms, max_attempts)
  if condemned(id) then return { 'failed' } end
  local state, deadline, attempts, holder, held =
    unpack(get(id, 'state', 'deadline', 'attempts', 'owner', 'token'))
  if not state then return { 'missing' } end
  if state == 'running' and holder == owner then return claimed(id, tonumber(held)) end
  if state ~= 'queued' then return { state } end
  if deadline and tonumber(deadline) <= NOW then
    expire(id)
    return { 'failed' }
  end
  if tonumber(attempts) >= tonumber(max_attempts) then
    bury(id, 'attempts', 'given up after ' .. attempts .. ' attempts')
    return { 'failed' }
  end
  local token = next_token()
  redis.call('HSET', job_key(id), 'state', 'running', 'token', token, 'owner', owner,
    'attempts', attempts + 1)
  redis.call('HDEL', job_key(id), 'resent')
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('ZADD', LEASES, NOW + tonumber(lease_ms), id)
  return claimed(id, token)
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
  if not holds(id, token) then
    local state, newest = unpack(get(id, 'state', 'token'))
    return (state == 'done' and newest == token) and 1 or 0
  end
  redis.call('HSET', job_key(id), 'result', result)
  close(id, 'done', ttl_ms)
  return 1
end

-- release id token delay_ms: gives the job back, for it was not the job's fault; the attempt
-- does not count
function operations.release(id, token, delay_ms)
  if not holds(id, token) then return 0 end
  redis.call('HINCRBY', job_key(id), 'attempts', -1)
  put_back(id, tonumber(delay_ms))
  return 1
end

-- advanced id token: the job got further than in any attempt before; those do not count
function operations.advanced(id, token)
  if not holds(id, token) then return 0 end
  redis.call('HSET', job_key(id), 'attempts', 1)
  return 1
end

-- retry id token delay_ms max_attempts error traceback versions -> 'queued' | 'failed' | 'lost'
function operations.retry(id, token, delay_ms, max_attempts, err, traceback, versions)
  if not holds(id, token) then return 'lost' end
  redis.call('HSET', job_key(id), 'traceback', traceback, 'versions', versions)
  if tonumber(redis.call('HGET', job_key(id), 'attempts')) >= tonumber(max_attempts) then
    bury(id, 'attempts', err)
    return 'failed'
  end
  redis.call('HSET', job_key(id), 'error', err)
  put_back(id, tonumber(delay_ms))
  return 'queued'
end

-- fail id token reason error versions: it can never work
function operations.fail(id, token, reason, err, versions)
  if not holds(id, token) then return 0 end
  redis.call('HSET', job_key(id), 'versions', versions)
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
  local state = get(id, 'state')[1]
  if state == 'queued' then close(id, 'cancelled', ttl_ms) end
  if state == 'running' then redis.call('HSET', job_key(id), 'cancel', '1') end
  return state
end

-- refuse id error ttl_ms: a message named a job that is not here; whoever waits for it is told
function operations.refuse(id, err, ttl_ms)
  if redis.call('EXISTS', job_key(id)) == 1 then return end
  redis.call('HSET', job_key(id), 'state', 'failed', 'reason', 'unknown', 'error', err, 'closed', NOW)
  redis.call('PEXPIRE', job_key(id), ttl_ms)
  redis.call('PUBLISH', P .. 'closed:' .. id, 'failed')
end

-- progress id token bytes
function operations.progress(id, token, bytes)
  if not holds(id, token) then return 0 end
  redis.call('HSET', job_key(id), 'progress', bytes)
  return 1
end

-- buried id closed ttl_ms: a worker wrote the dead letter of that moment to the store; a job that
-- was sent again meanwhile is another matter
function operations.buried(id, closed, ttl_ms)
  local state, at = unpack(get(id, 'state', 'closed'))
  if state ~= 'failed' or at ~= closed then return end
  redis.call('ZREM', DEAD, id)
  redis.call('HDEL', job_key(id), 'payload', 'message')
  redis.call('PEXPIRE', job_key(id), ttl_ms)
end
