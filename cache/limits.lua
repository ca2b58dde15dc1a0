-- One request of one client against all of its limits, as cache/tally.py tells it; nothing else reads or writes its key.
-- Besides, this server's clock may be set back, and what was counted by the wrong one is forgotten.
-- KEYS[1]  the client: a hash with a field for each window and one for the points, five numbers in each
-- ARGV     now in ms or 0 for this server's clock, longest wait ms, heal ms, points in the bucket, points per s,
--          cost, refund, lease, count; then name, most and period in ms of each window
-- Answers  {what is denied or "", wait ms, leased, points, then left and ms to the end of each window}
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local wait_most, heal, capacity, per_s = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local cost, refund, lease, count = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local names = {'points'}
for i = 10, #ARGV, 3 do names[#names + 1] = ARGV[i] end
local stored = redis.call('HMGET', KEYS[1], unpack(names))

local function read(text, number)
    if not text then return {at = now, number = number, blocked = 0, violations = 0, violated = 0} end
    local found = {}
    for each in string.gmatch(text, '%S+') do found[#found + 1] = tonumber(each) end
    return {at = found[1], number = found[2], blocked = found[3], violations = found[4], violated = found[5]}
end

local function forget_wrong(each, longest)
    if each.blocked - now > math.max(wait_most, longest) then each.blocked, each.violated = 0, 0 end
end

local points = read(stored[1], capacity)
forget_wrong(points, capacity * 1000 / per_s + 1)
local elapsed = math.max(0, now - points.at)
points.number = tonumber(string.format('%.3f', math.min(capacity, points.number + elapsed * per_s / 1000 + refund)))
points.at = now
local expiry = (capacity - points.number + cost) * 1000 / per_s

local windows, worst = {}, nil
for i = 10, #ARGV, 3 do
    local each = read(stored[#windows + 2], 0)
    each.name, each.most, each.period = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    if now >= each.at + each.period or now < each.at then each.at, each.number = now, 0 end
    forget_wrong(each, each.period)
    each.wait, each.is_new = math.max(0, each.blocked - now), false
    if each.wait == 0 and each.number + count > each.most then
        each.wait, each.is_new = each.at + each.period - now, true
    end
    if each.wait > 0 and (not worst or each.wait > worst.wait) then worst = each end
    windows[#windows + 1] = each
    expiry = math.max(expiry, each.period)
end
local need = math.min(cost, capacity)
if need > 0 then
    points.name, points.wait, points.is_new = 'points', math.max(0, points.blocked - now), false
    if points.wait == 0 and points.number < need then
        points.wait, points.is_new = math.max(1, math.ceil((need - points.number) * 1000 / per_s)), true
    end
    if points.wait > 0 and (not worst or points.wait > worst.wait) then worst = points end
end

local wait, leased = 0, 0
if worst then
    wait = worst.wait
    if worst.is_new and count > 0 then
        local healed = math.floor(math.max(0, now - worst.violated) / heal)
        worst.violations = math.min(30, math.max(0, worst.violations - healed) + 1)
        if worst.violations > 1 then
            wait = math.min(math.max(wait, wait_most), math.max(wait, 1000) * 2 ^ (worst.violations - 1))
        end
        worst.blocked = now + wait
        worst.violated = worst.blocked
    end
else
    for _, each in ipairs(windows) do each.number = each.number + count end
    points.number = points.number - need
    if lease > 0 then
        leased = math.max(0, math.min(lease, windows[1].most - windows[1].number))
        windows[1].number = windows[1].number + leased
    end
end

local answer = {worst and worst.name or '', wait, leased, string.format('%.3f', points.number)}
local changed = {}
local function write(name, each)
    changed[#changed + 1] = name
    changed[#changed + 1] = string.format(
        '%.0f %.3f %.0f %.0f %.0f', each.at, each.number, each.blocked, each.violations, each.violated)
    if each.violations > 0 then
        expiry = math.max(expiry, each.violated - now + each.violations * heal)
    end
end
write('points', points)
for _, each in ipairs(windows) do
    write(each.name, each)
    answer[#answer + 1] = math.max(0, each.most - each.number)
    answer[#answer + 1] = each.at + each.period - now
end
redis.call('HSET', KEYS[1], unpack(changed))
if redis.call('PTTL', KEYS[1]) < expiry then redis.call('PEXPIRE', KEYS[1], math.ceil(expiry) + 1000) end
return answer
