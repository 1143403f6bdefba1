"""What to do about each kind of problem, in a sentence for the person who met it."""

ADVICE = {
    # The request
    "malformed-request": "Send the request again, whole; /docs shows what each route takes.",
    "no-image": "Choose a picture, or give the address of one.",
    "unsupported-media-type": "Send multipart/form-data, the picture itself (image/*), or JSON.",
    "invalid-option": "Correct the option that is named; /docs lists them all.",
    "idempotency-key-reused": "Use a new Idempotency-Key for a new request.",
    "upload-too-large": "Make the picture smaller, or save it as a JPEG; the page does so itself.",
    "unknown-host": "Ask by address; or, as operator, add the name to PETIOLE_API_OPERATOR_HOSTS.",
    "cross-site-request": "Open /admin itself, and do it there.",
    # The picture
    "not-an-image": "Send a photograph: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.",
    "unsupported-image-format": "Save the picture as a JPEG or PNG, and send that.",
    "truncated-image": "The file is not whole: save or copy it once more, and send that.",
    "too-many-pixels": "Make the picture smaller; a model looks at a few hundred pixels a side.",
    "bad-image": "Open the picture in a viewer and save it anew as a JPEG or PNG.",
    "out-of-memory": "Make the picture smaller, and send it again.",
    "time-limit": "Make the picture smaller, and send it again.",
    # The address
    "download-failed": "Open the address in a browser; if that works, upload the picture instead.",
    "download-refused": "Its detail says why it may not be asked; upload the picture instead.",
    "download-status": "Open the address in a browser: it may need a login. Else upload the file.",
    "download-too-large": "Upload a smaller version of the picture.",
    "download-timeout": "The server is slow: try again, or upload the picture instead.",
    "download-unreachable": "Check the address, which must be public, or upload the picture.",
    # The model
    "unknown-model": "/models lists the models that are here.",
    "unknown-version": "/models lists the versions that are here.",
    "bad-model-reference": "Write name, name@version or name@alias, such as imagenet@1.",
    "corrupt-model": "For the operator: publish the version anew; the old files are damaged.",
    "unusable-model": "For the operator: the worker's log says why; publish the version anew.",
    "runtime-unavailable": "For the operator: install the runtime that the model's card names.",
    "golden-mismatch": "For the operator: this machine computes otherwise; see docs/models.md.",
    # The job
    "unknown-task": "Check the id: nobody was given this one here.",
    "expired-result": "Results are kept for a while only: send the picture again.",
    "task-revoked": "Somebody cancelled this task: send the picture again if it is still wanted.",
    "wait-over": "It is not lost: ask for the result of the task that is named.",
    "upload-missing": "Send the picture again; if it happens again, tell the operator.",
    "worker-lost": "The picture ended its worker each time; the operator finds it in quarantine.",
    "unknown-task-type": "For the operator: workers and API are of different versions.",
    "malformed-message": "For the operator: another program wrote into this service's queue.",
    # The service
    "queue-full": "Try again after the seconds that the answer names.",
    "too-many-waiters": "Ask without `wait`, or try again shortly.",
    "too-many-streams": "Ask for each result with `GET /result/<task_id>`, or try again shortly.",
    "service-unavailable": "Try again shortly; /readyz says what is missing.",
    "not-ready": "For the operator: what is missing is named; `petiole up` starts all parts.",
    "internal-error": "Not your fault. The operator finds the reason in the service's log.",
    # Trainings
    "bad-training-settings": "Correct the setting that is named; `petiole train --help` lists all.",
    "bad-training-data": "Correct the folder of pictures as the detail says.",
    "backbone-unavailable": "For the operator: install the package that the detail names.",
    "gate-failed": "More or better pictures are needed; the training's report shows the mistakes.",
    "training-failed": "For the operator: the training worker's log says why.",
}
