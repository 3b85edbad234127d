-- Each request asks for another of the jobs whose ids a file lists: `wrk … -s polls.lua URL -- FILE`.
local ids = {}

function init(args)
  for line in io.lines(args[1]) do ids[#ids + 1] = line end
end

function request()
  return wrk.format("GET", "/v1/jobs/" .. ids[math.random(#ids)])
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"a_second": %.0f, "p50": %.1f, "p99": %.1f, "failed": %d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
