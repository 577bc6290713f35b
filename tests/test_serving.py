"""The server: the answers of the model in every type, sentences for what is wrong, and an end without losses."""

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import numpy as np
import pyarrow as pa
import pytest

import isthmus
from conftest import environment
from isthmus.cli import main

JSON, NPY, ARROW = "application/json", "application/x-npy", "application/vnd.apache.arrow.stream"


class Client:
    """A server in a process of its own, and requests to it."""

    def __init__(self, path, *flags):
        command = [sys.executable, "-m", "isthmus", "serve", str(path), "--port", "0", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = re.search(r"http://\S+/", self.process.stdout.readline())[0]
        self.port = int(re.search(r":(\d+)/", self.url)[1])
        assert self.ask("GET", "/health")[0] == 200

    def ask(self, method, path, body=None, kind=None, accept=None):
        """Give status, type and body of the answer."""
        headers = {name: value for name, value in (("Content-Type", kind), ("Accept", accept)) if value}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers["Content-Type"], content

    def post(self, path, **values):
        """Send arrays as JSON and give the status and what comes back."""
        body = json.dumps({name: array.tolist() for name, array in values.items()})
        status, _, content = self.ask("POST", path, body, JSON)
        return status, json.loads(content)

    def refused(self, status, path, body=None, kind=JSON, method="POST", accept=None):
        """Assert that a request is refused in one sentence, and give that."""
        found, answered_as, content = self.ask(method, path, body, kind, accept)
        assert (found, answered_as) == (status, JSON), content
        (sentence,) = json.loads(content).values()
        assert "\n" not in sentence
        return sentence

    def end(self):
        """Tell the server to end; give its exit code and what it said."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def client(models, tmp_path_factory):
    """A served table with names of columns."""
    path = tmp_path_factory.mktemp("served") / "table.safetensors"
    models["VariationalAutoencoder"].save(path)
    client = Client(path)
    yield client
    code, errors = client.end()
    assert (code, errors.replace("Invalid HTTP request received.\n", "")) == (0, "")


@pytest.fixture(scope="module")
def model(models):
    return models["VariationalAutoencoder"]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def arrow(table):
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def same(found, expected):
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-5, atol=1e-6)


def test_json_goes_in_and_out(client, model, frame, rows):
    codes = model.transform(frame)
    status, answer = client.post("/encode", rows=rows)
    assert status == 200
    same(answer["codes"], codes)
    same(client.post("/decode", codes=codes)[1]["rebuilt"], model.inverse_transform(codes))
    same(client.post("/reconstruct", rows=rows)[1]["rebuilt"], model.reconstruct(frame))
    holes = [[None, *row[1:]] for row in rows[:3].tolist()]
    _, _, content = client.ask("POST", "/encode", json.dumps({"rows": holes}), JSON)
    with_holes = frame[:3].copy()
    with_holes["x0"] = np.nan
    same(json.loads(content)["codes"], model.transform(with_holes))


def test_arrays_go_in_and_out(client, model, frame, rows):
    for kind in (NPY, "application/octet-stream"):
        status, answered_as, content = client.ask("POST", "/encode", npy(np.asfortranarray(rows)), kind)
        assert (status, answered_as) == (200, NPY)
        same(np.load(io.BytesIO(content), allow_pickle=False), model.transform(frame))


def test_tables_go_in_and_out(client, model, frame):
    status, answered_as, content = client.ask("POST", "/reconstruct", arrow(pa.Table.from_pandas(frame)), ARROW)
    assert (status, answered_as) == (200, ARROW)
    table = pa.ipc.open_stream(content).read_all()
    assert table.column_names == list(frame.columns)
    same(table.to_pandas(), model.reconstruct(frame))
    other = arrow(pa.Table.from_pandas(frame[frame.columns[::-1]]))
    assert "same order" in client.refused(400, "/encode", other, ARROW)
    words = arrow(pa.table({name: ["a"] for name in frame.columns}))
    assert "must be numbers" in client.refused(400, "/encode", words, ARROW)


def test_the_answer_comes_in_the_type_that_is_asked_for(client, model, frame, rows):
    _, answered_as, content = client.ask("POST", "/encode", npy(rows), NPY, accept=f"text/html, {ARROW};q=0.9")
    assert answered_as == ARROW
    assert pa.ipc.open_stream(content).read_all().column_names == list(model.get_feature_names_out())
    assert client.ask("POST", "/encode", npy(rows), NPY, accept="*/*")[1] == NPY
    assert JSON in client.refused(406, "/encode", npy(rows), NPY, accept="text/html")


@pytest.mark.parametrize(
    ("operation", "body", "words"),
    [
        ("encode", b"", "no JSON"),
        ("encode", b"{", "no JSON"),
        ("encode", b"[" * 100_000, "no JSON"),
        ("encode", b'{"rows": [[NaN]]}', "null"),
        ("encode", b'{"rows": 3, "more": 4}', '{"rows": [[...], ...]}'),
        ("encode", b'{"codes": [[1]]}', '{"rows": [[...], ...]}'),
        ("encode", b'{"rows": []}', "2D array"),
        ("encode", b'{"rows": [1, 2]}', "2D array"),
        ("encode", b'{"rows": [[1], [1, 2]]}', "same length"),
        ("encode", b'{"rows": [["1"]]}', "numbers"),
        ("encode", b'{"rows": [["1", null]]}', "numbers"),
        ("encode", b'{"rows": [[1, 2]]}', "12 features"),
        ("encode", b'{"rows": [[1e400' + 11 * b", 2" + b"]]}", "infinity"),
        ("encode", b'{"rows": [[' + b"9" * 400 + b"]]}", "range of float64"),
        ("decode", b'{"codes": [[1, 2, 3]]}', "codes have 3 columns"),
        ("decode", b'{"codes": [[1, null]]}', "missing cell"),
    ],
)
def test_bad_json_is_told_in_the_library_s_words(client, operation, body, words):
    assert words in client.refused(400, f"/{operation}", body)


def test_bad_arrays_are_told(client, rows):
    huge = npy(rows).replace(b"(60, 12)", b"(10**9,)")
    for body in (b"", npy(rows)[:-1], npy(rows) + b"x", huge, npy(rows).replace(b"60, 12", b"99, 99")):
        assert ".npy" in client.refused(400, "/encode", body, NPY)
    pickled = io.BytesIO()
    np.save(pickled, np.array([print], dtype=object), allow_pickle=True)
    assert "numbers" in client.refused(400, "/encode", pickled.getvalue(), NPY)
    assert "Arrow" in client.refused(400, "/encode", b"ARROW1", ARROW)
    assert "infinity" in client.refused(400, "/encode", npy(np.full((1, 12), np.inf)), NPY)


def test_what_is_not_there_is_told(client):
    assert "/nowhere" in client.refused(404, "/nowhere")
    assert "GET" in client.refused(405, "/encode", method="GET")
    assert "text/plain" in client.refused(415, "/encode", b"1,2", "text/plain")
    assert "none" in client.refused(415, "/encode", b"1,2", None)


def test_health_schema_and_counters(client, model, rows):
    health = json.loads(client.ask("GET", "/health")[2])
    assert health == {"status": "ok", "model": "VariationalAutoencoder", "row_shape": [12], "code_size": 2}
    schema = json.loads(client.ask("GET", "/openapi.json")[2])
    assert schema["openapi"] == "3.1.0"
    assert set(schema["paths"]) >= {"/encode", "/decode", "/reconstruct", "/health", "/metrics", "/openapi.json"}
    client.post("/encode", rows=rows)
    text = client.ask("GET", "/metrics")[2].decode()
    assert float(re.search(r'(?m)^isthmus_requests_total{operation="encode",status="200"} (\S+)', text)[1]) >= 1
    assert float(re.search(r'(?m)^isthmus_rows_total{operation="encode"} (\S+)', text)[1]) >= len(rows)
    assert float(re.search(r"(?m)^isthmus_waiting_bytes (\S+)", text)[1]) == 0


def test_requests_that_come_together_are_computed_together(client, model, frame, rows):
    def batches():
        text = client.ask("GET", "/metrics")[2].decode()
        return float(re.search(r"(?m)^isthmus_batch_rows_count (\S+)", text)[1])

    before, codes = batches(), model.transform(frame)
    with ThreadPoolExecutor(30) as threads:
        answers = [*threads.map(lambda place: client.post("/encode", rows=rows[place : place + 1]), range(60))]
    same([answer["codes"][0] for _, answer in answers], codes)
    assert 0 < batches() - before < 60


def explored(client, folder, *flags):
    """Let schemathesis send what the schema allows, and what it does not; give what it found."""
    programs = environment(folder / "environment", "schemathesis==4.32.5")
    checks = ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure"]
    command = [programs / "schemathesis", "run", f"{client.url}openapi.json", "--no-color", *checks, *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("examples", [10, pytest.param(300, marks=pytest.mark.slow)])
def test_nothing_that_the_schema_allows_or_forbids_is_a_fault(examples, client, tmp_path):
    code, text = explored(client, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", str(examples))
    assert code == 0, text
    assert "POST /reconstruct" in text or "Tested: 5" in text
    assert client.ask("GET", "/health")[0] == 200


def test_large_and_slow_bodies_are_refused(folder):
    client = Client(folder / "DenseAutoencoder.safetensors", "--max-megabytes", "0.01", "--timeout", "0.5")
    assert "10,486 bytes" in client.refused(413, "/encode", b" " * 20_000)
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)) as connection:
        connection.request(
            "POST", "/encode", (b" " * 1_000 for _ in range(20)), {"Content-Type": JSON}, encode_chunked=True
        )
        with connection.getresponse() as answer:
            assert answer.status == 413
    with begun(client.port, 100) as connection, connection.getresponse() as answer:
        assert answer.status == 408
        assert json.loads(answer.read()) == {"error": "the body did not arrive within 0.5 s"}
    assert client.end() == (0, "")


@contextmanager
def begun(port, size):
    """Begin a request whose body is still to come."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest("POST", "/encode")
        connection.putheader("Content-Type", NPY)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        yield connection


def test_images_keep_their_shape_and_what_has_come_is_answered_before_the_end(images, tmp_path):
    model = isthmus.ConvolutionalAutoencoder(channels=(2,), max_epochs=1, random_state=0).fit(images)
    model.save(tmp_path / "images.safetensors")
    client, body = Client(tmp_path / "images.safetensors"), npy(np.tile(images, (200, 1, 1)))
    rebuilt = np.load(io.BytesIO(client.ask("POST", "/reconstruct", body, NPY)[2]))
    assert rebuilt.shape == (200 * len(images), *images.shape[1:])
    same(rebuilt[: len(images)], model.reconstruct(images))
    flat = pa.table({f"p{place}": column for place, column in enumerate(images.reshape(len(images), -1).T)})
    codes = pa.ipc.open_stream(client.ask("POST", "/encode", arrow(flat), ARROW)[2]).read_all()
    same(codes.to_pandas(), model.transform(images))
    assert "beyond the range of float32" in client.refused(
        400, "/decode", npy(np.full((1, codes.num_columns), 3e38)), NPY
    )
    with begun(client.port, len(body)) as connection:
        connection.send(body[:1000])
        time.sleep(0.2)
        client.process.send_signal(signal.SIGTERM)
        while listens(client.port):
            time.sleep(0.05)
        connection.send(body[1000:])
        with connection.getresponse() as answer:
            assert answer.status == 200
            same(np.load(io.BytesIO(answer.read()))[: len(images)], model.transform(images))
    assert client.end() == (0, "")


def listens(port):
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_address_that_cannot_be_had_is_told(client, folder, capsys):
    model = str(folder / "DenseAutoencoder.safetensors")
    for flags in (["--port", str(client.port)], ["--port", "99999"], ["--timeout", "0"], ["--host", "no.such.invalid"]):
        with pytest.raises(SystemExit, match="2"):
            main(["serve", model, *flags])
        assert capsys.readouterr().err.count("\n") == 1
