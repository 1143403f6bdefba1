-- wrk sends pictures in turn and waits for each answer; what came back is printed as JSON.
-- Arguments: the name of the form's field, or "-" where the picture is the body; the pictures' paths.
-- All connections of the one thread share the turn, so each has another picture on its way.
local bodies, threads = {}, {}
local boundary = "----petiole-bench"

function setup(thread) table.insert(threads, thread) end

local function form(field, picture)
  return "--" .. boundary .. '\r\nContent-Disposition: form-data; name="' .. field
    .. '"; filename="picture.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    .. picture .. "\r\n--" .. boundary .. "--\r\n"
end

function init(args)
  local field = table.remove(args, 1)
  for _, path in ipairs(args) do
    local file = assert(io.open(path, "rb"))
    local picture = file:read("*a")
    file:close()
    table.insert(bodies, field == "-" and picture or form(field, picture))
  end
  turn, finished, failed = 0, 0, 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = field == "-" and "image/jpeg"
    or "multipart/form-data; boundary=" .. boundary
end

function request()
  turn = turn + 1
  return wrk.format(nil, nil, nil, bodies[turn % #bodies + 1])
end

function response(status)
  if status == 200 or status == 202 then finished = finished + 1 else failed = failed + 1 end
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
