-- Each request asks for another seed: `wrk … -s seeds.lua URL -- FIRST METHOD PATH BODY`, where %d stands for the seed.
local threads = 0

function setup(thread)
  thread:set("first", threads * 100000000)
  threads = threads + 1
end

function init(args)
  method, path, body, seed = args[2], args[3], args[4], tonumber(args[1]) + first
end

function request()
  seed = seed + 1
  local number = string.format("%d", seed)
  local headers = { ["Content-Type"] = "application/json", ["Accept"] = "image/png" }
  return wrk.format(method, path:gsub("%%d", number), headers, body and body:gsub("%%d", number) or nil)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %.3f, "p50": %.3f, "p99": %.3f, "failed": %d, "bytes": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, summary.bytes))
end
