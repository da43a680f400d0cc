-- Three queries of the table that `lsock --stamp --schema clickhouse` makes (with -tapi).

-- Ports that other machines can reach, and the hosts that listen there.
SELECT local_port, groupUniqArray(host) AS hosts
FROM lsock
WHERE state = 'LISTEN' AND NOT startsWith(local_address, '127.') AND local_address != '::1'
GROUP BY local_port
ORDER BY local_port;

-- Processes that leave connections in CLOSE_WAIT.
SELECT host, process.name AS name, process.pid AS pid, count() AS connections
FROM lsock
ARRAY JOIN processes AS process
WHERE state = 'CLOSE_WAIT'
GROUP BY host, name, pid
ORDER BY connections DESC;

-- Peers with the most connections, their retransmissions, and their worst round-trip time in milliseconds.
SELECT peer_address, peer_port, count() AS connections,
    sum(tcp_info.total_retrans) AS retransmissions, max(tcp_info.rtt) / 1000 AS worst_rtt_ms
FROM lsock
WHERE state = 'ESTABLISHED'
GROUP BY peer_address, peer_port
ORDER BY connections DESC
LIMIT 10;
