<?php
// Sends a picture in the ways of PHP, by curl and by streams: send.php URL PICTURE
[, $url, $picture] = $argv;
$bytes = file_get_contents($picture);

function by_curl(string $url, mixed $body, array $headers = []): array
{
    $handle = curl_init($url);
    curl_setopt_array($handle, [
        CURLOPT_POSTFIELDS => $body, CURLOPT_HTTPHEADER => $headers, CURLOPT_RETURNTRANSFER => true,
    ]);
    $text = curl_exec($handle);
    return [curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $text];
}

function by_stream(string $url, string $body, string $type): array
{
    $options = ['method' => 'POST', 'content' => $body, 'ignore_errors' => true];
    $context = stream_context_create(['http' => $options + ['header' => "Content-Type: $type"]]);
    $text = file_get_contents($url, false, $context);
    return [(int) explode(' ', $http_response_header[0])[1], $text];
}

$form = 'application/x-www-form-urlencoded';
$ways = [
    'curl, CURLFile' => fn() => by_curl($url, ['image' => new CURLFile($picture)]),
    'curl, CURLStringFile' => fn() => by_curl($url, ['image' => new CURLStringFile($bytes, 'a.jpg')]),
    'curl, base64 in a form' => fn() => by_curl($url, ['image' => base64_encode($bytes)]),
    'curl, bytes' => fn() => by_curl($url, $bytes),
    'curl, bytes with a type' => fn() => by_curl($url, $bytes, ['Content-Type: image/jpeg']),
    'stream, bytes' => fn() => by_stream($url, $bytes, 'application/octet-stream'),
    'stream, url-encoded' =>
        fn() => by_stream($url, http_build_query(['image' => base64_encode($bytes)]), $form),
    'stream, json' =>
        fn() => by_stream($url, json_encode(['image' => base64_encode($bytes)]), 'application/json'),
];
foreach ($ways as $name => $way) {
    [$status, $text] = $way();
    if ($status !== 202) {
        fwrite(STDERR, "$name: $status $text\n");
        exit(1);
    }
    echo "$name\n";
}
