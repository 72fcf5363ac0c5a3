#!/bin/sh
# curl that keeps to rate limits: it waits as long as a refusal says. Needs curl 7.72 or newer and a POSIX shell.
#
#   polite-curl.sh https://api.example.com/search
#   polite-curl.sh -X POST -d @order.json https://api.example.com/orders
#
# Takes curl's options for one URL; the body of the last response goes to standard output. Ends with 0 for a status below
# 400, with 22 for others, and with curl's own code when the last attempt got no response.
#
# - 429 and 503 with Retry-After: sent again after that time.
# - 503 without, and failures of the network: sent again after a random, growing time. Never a POST or PATCH, unless told
#   by POLITE_UNSAFE=1: it may have been processed. A 429 was not, so that any method is sent again.
# - 429 without Retry-After: no wait helps, so it ends at once.
#
# (curl's own --retry also waits for Retry-After, but repeats whatever has failed, and a 429 that no wait can help.)
# A body from standard input (-d @-) is there only once: use a file.
#
# POLITE_ATTEMPTS=5   requests to send at most
# POLITE_TOTAL=60     seconds that all of it may take
# POLITE_WAIT=30      the longest single wait; told to wait longer, it ends at once
# POLITE_BACKOFF=1    the longest first wait where nobody says how long; it doubles each time
set -u

attempts=${POLITE_ATTEMPTS:-5}
end=$(($(date +%s) + ${POLITE_TOTAL:-60}))
longest=${POLITE_WAIT:-30}
backoff=${POLITE_BACKOFF:-1}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM HUP

# Seconds to wait by the last block of headers, the one of the response itself; empty where it tells nothing.
retry_after () {
  tr -d '\r' < "$folder/headers" | awk -v clock="$(date +%s)" '
    # Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT"; -1 where it is none. The days are counted from 1 March, so
    # that a leap day comes last.
    function seconds (text,    part, hour, month, year, day) {
      if (text !~ /^[A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] [0-9][0-9][0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9] GMT$/) return -1
      split(text, part, " ")
      split(part[5], hour, ":")
      month = (index("JanFebMarAprMayJunJulAugSepOctNovDec", part[3]) + 2) / 3
      year = part[4] - (month < 3)
      month = (month + 9) % 12
      day = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month + 2) / 5) + part[2] - 1
      return (day - 719468) * 86400 + hour[1] * 3600 + hour[2] * 60 + hour[3]
    }
    /^HTTP\// { told = ""; shown = "" }
    {
      name = tolower($0); sub(/:.*/, "", name)
      value = $0; sub(/^[^:]*:[ \t]*/, "", value); sub(/[ \t]*$/, "", value)
    }
    name == "retry-after" { told = value }
    name == "date" { shown = value }
    END {
      # Nine digits are decades: what is longer is as good as never.
      if (told ~ /^[0-9]+$/) { printf "%.0f", (length(told) > 9 ? 999999999 : told); exit }
      due = seconds(told)
      if (due < 0) exit
      # By the clock of the server where it shows it: the one here may be wrong.
      now = seconds(shown)
      wait = due - (now < 0 ? clock : now)
      printf "%.0f", (wait > 0 ? wait : 0)
    }'
}

# A whole number from 0 to $1. Not by the time of day, which is the same for all that were started together.
random_up_to () {
  echo $(($(od -An -N4 -tu4 /dev/urandom) % ($1 + 1)))
}

attempt=0
while :; do
  attempt=$((attempt + 1))
  left=$((end - $(date +%s)))
  : > "$folder/headers"
  : > "$folder/body"
  told=$(curl -sS -o "$folder/body" -D "$folder/headers" -w '%{http_code} %{method}' --max-time "$((left > 0 ? left : 1))" "$@")
  code=$?
  status=${told%% *}
  wait=''
  case ${told##* } in
    GET | HEAD | OPTIONS | PUT | DELETE | TRACE) is_harmless=1 ;;
    *) is_harmless=${POLITE_UNSAFE:-0} ;;
  esac

  # Codes of curl for a name, a connection, a time limit, an answer that was cut off; others tell of a wrong call.
  case $code in
    0) ;;
    5 | 6 | 7 | 16 | 18 | 28 | 35 | 52 | 55 | 56 | 92) status=network ;;
    *) exit "$code" ;;
  esac
  case $status in
    429) wait=$(retry_after) ;;
    503 | network)
      if [ "$is_harmless" = 1 ]; then
        [ "$status" = 503 ] && wait=$(retry_after)
        [ -n "$wait" ] || wait=$(random_up_to "$backoff")
        backoff=$((backoff * 2 > longest ? longest : backoff * 2))
      fi
      ;;
  esac

  if [ -z "$wait" ] || [ "$wait" -gt "$longest" ] || [ "$attempt" -ge "$attempts" ] ||
    [ "$(($(date +%s) + wait))" -ge "$end" ]; then
    cat "$folder/body"
    [ "$code" -eq 0 ] || exit "$code"
    [ "$status" -lt 400 ] || exit 22
    exit 0
  fi
  sleep "$wait"
done
