-- wrk sends pictures in turn and waits for each answer; what came back is printed as JSON.
-- Arguments: the pictures' paths.
local bodies, threads = {}, {}

function setup(thread) table.insert(threads, thread) end

function init(args)
  for _, path in ipairs(args) do
    local file = assert(io.open(path, "rb"))
    table.insert(bodies, file:read("*a"))
    file:close()
  end
  turn, finished, failed = 0, 0, 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "image/jpeg"
end

function request()
  turn = turn + 1
  return wrk.format(nil, nil, nil, bodies[turn % #bodies + 1])
end

function response(status)
  if status == 200 then finished = finished + 1 else failed = failed + 1 end
end

function done(summary, latency)
  local finished, failed = 0, summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do
    finished = finished + thread:get("finished")
    failed = failed + thread:get("failed")
  end
  print(string.format(
    'RESULT {"finished": %d, "failed": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}',
    finished, failed, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
