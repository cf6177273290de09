#!/bin/busybox sh
set -- '#0972d3' '#037f0c' '#8a3ffc' '#d13212' '#9f5b00' '#00707a'
number=$(echo "$VERSION" | busybox tr -cd 0-9)
shift "$(busybox expr \( "${number:-1}" + 5 \) % 6)"
host=$(busybox hostname)
address=$(busybox ip -4 -o addr show scope global 2>/dev/null | busybox awk '{sub("/.*", "", $4); print $4; exit}')
page=$(busybox cat <<HTML
<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Longshore</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: $1; color: #fff; font: 18px/1.5 system-ui, sans-serif; }
  main { padding: 2rem; max-width: 32rem; }
  h1 { font-size: 2.5rem; margin: 0 0 .5rem; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1.5rem; font-family: ui-monospace, monospace; }
  dd { margin: 0; }
</style>
<main>
<h1>Hello from Longshore</h1>
<p>This page was pushed to ECR, runs on ECS with Fargate, and came to you through a load balancer. Load it again: another task may answer.</p>
<dl>
<dt>version</dt><dd>${VERSION}</dd>
<dt>task</dt><dd>${host}</dd>
<dt>address</dt><dd>${address:-unknown}</dd>
<dt>client</dt><dd>${HTTP_X_FORWARDED_FOR:-$REMOTE_ADDR}</dd>
</dl>
</main>
</html>
HTML
)
printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nContent-Length: %s\r\n\r\n%s' "${#page}" "$page"
