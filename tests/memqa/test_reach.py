"""Where an address and its redirects may lead, by a fake name server and a fake network."""

from __future__ import annotations

import httpx
import pytest

from memqa.reach import MOST_REDIRECTS, Reach, is_public
from models.errors import BackendError, InputError, UnreadableMedia

NAMES = {
    "public.test": ["93.184.216.34"],
    "other.test": ["2606:2800:220:1::1"],
    "nas.test": ["192.168.1.7"],
    "mixed.test": ["93.184.216.34", "10.0.0.1"],
    "2130706433": ["127.0.0.1"],  # as the system reads it
    "0x7f.1": ["127.0.0.1"],
}


class Net:
    """A network of scripted answers; ``asked`` keeps every request."""

    def __init__(self, answers: dict[str, httpx.Response | str]) -> None:
        self.answers, self.looked_up = answers, list[str]()
        self.asked: list[httpx.Request] = []

    def reach(self, address: str) -> Reach:
        transport = httpx.MockTransport(self._answer)
        return Reach(address, name="the file", resolve=self._resolve, transport=transport)

    def _resolve(self, host: str, port: int) -> list[str]:
        del port
        self.looked_up.append(host)
        return NAMES.get(host, [host])

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get(f"{request.headers['host']}{request.url.raw_path.decode()}", "")
        if isinstance(answer, httpx.Response):
            return answer
        if answer:
            return httpx.Response(302, headers={"location": answer})
        return httpx.Response(200, content=b"here")


def read(net: Net, address: str) -> bytes:
    with net.reach(address).answer("GET") as response:
        return response.read()


def test_the_connection_goes_to_what_was_looked_up() -> None:
    net = Net({})
    assert read(net, "https://public.test/talk.mp4?a=1#frag") == b"here"
    (request,) = net.asked
    assert request.url.host == "93.184.216.34"
    assert request.headers["host"] == "public.test"
    assert request.extensions["sni_hostname"] == "public.test"
    assert "authorization" not in request.headers


def test_what_a_person_typed_may_be_private() -> None:
    assert read(Net({}), "http://nas.test/talk.mp4") == b"here"
    assert read(Net({}), "http://127.0.0.1:8000/talk.mp4") == b"here"


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.1/x", "http://localhost.nas.test@nas.test/x", "http://169.254.169.254/x"),
        *("http://[::1]/x", "http://[fd00::1]/x", "http://[::ffff:10.0.0.1]/x"),
        *("http://2130706433/x", "http://0x7f.1/x", "http://mixed.test/x", "http://nas.test/x"),
        *("http://[fe80::1]/x", "http://224.0.0.1/x", "http://0.0.0.0/x", "//10.1.2.3/x"),
        *("file:///etc/passwd", "ftp://public.test/x", "gopher://127.0.0.1:6379/x", "x:"),
        *("http://[64:ff9b::a00:1]/x", "http://[2002:a00:1::]/x", "http://100.64.0.1/x"),
    ],
)
def test_no_redirect_leads_into_a_private_network(target: str) -> None:
    net = Net({"public.test/talk.mp4": target})
    with pytest.raises(UnreadableMedia, match="leads on"):
        read(net, "http://public.test/talk.mp4")
    assert len(net.asked) == 1


def test_the_very_host_that_was_typed_may_lead_on_within_itself() -> None:
    net = Net({"nas.test/a": "/b", "nas.test/b": "https://nas.test/c"})
    assert read(net, "http://nas.test/a") == b"here"
    assert net.looked_up == ["nas.test"]
    net = Net({"nas.test/a": "http://nas.test:6379/b"})
    with pytest.raises(UnreadableMedia, match="no public network"):
        read(net, "http://nas.test/a")


def test_a_name_that_answers_otherwise_the_second_time_leads_nowhere_else() -> None:
    net = Net({"public.test/a": "/b"})
    with net.reach("http://public.test/a").answer("GET") as response:
        NAMES["public.test"], before = ["127.0.0.1"], NAMES["public.test"]
        try:
            assert response.read() == b"here"
        finally:
            NAMES["public.test"] = before
    assert {request.url.host for request in net.asked} == {"93.184.216.34"}


def test_a_redirect_never_takes_the_password_along() -> None:
    net = Net({"public.test/a": "/b", "public.test/b": "https://me:own@other.test/c"})
    read(net, "https://ann:s%40cret@public.test/a")
    told = [request.headers.get("authorization", "") for request in net.asked]
    assert told[0] == told[1] != ""
    assert told[2] == ""
    assert httpx.BasicAuth("ann", "s@cret")._auth_header == told[0]
    assert all("secret" not in str(request.url) for request in net.asked)


def test_circles_and_downgrades_are_refused() -> None:
    net = Net({"public.test/a": "/a"})
    with pytest.raises(UnreadableMedia, match="on and on"):
        read(net, "http://public.test/a")
    assert len(net.asked) == MOST_REDIRECTS + 1
    with pytest.raises(UnreadableMedia, match="from https on to http"):
        read(Net({"public.test/a": "http://other.test/a"}), "https://public.test/a")


def test_another_machine_of_the_name_is_tried_where_one_is_down() -> None:
    NAMES["two.test"] = ["93.184.216.34", "93.184.216.35"]

    class Down(Net):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            if request.url.host.endswith("34"):
                raise httpx.ConnectError("refused")
            return super()._answer(request)

    assert read(Down({}), "http://two.test/a") == b"here"


def test_the_end_of_redirects_is_told_without_reading_it() -> None:
    net = Net({"public.test/live": "https://other.test/live.m3u8"})
    assert net.reach("http://ann:pw@public.test/live").leads_to() == "https://other.test/live.m3u8"
    same = "http://ann:p@public.test/x y"
    assert Net({}).reach(same).leads_to() == same


def test_what_goes_wrong_is_told_without_the_address() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(f"at {request.url}")

    reach = Reach(
        "http://ann:pw@public.test/",
        name="the file",
        resolve=lambda host, port: ["93.184.216.34"],
        transport=httpx.MockTransport(broken),
    )
    with pytest.raises(BackendError, match="the file does not answer"), reach.answer("GET"):
        pass
    for wrong in ("http://", "ftp://public.test/", "http://pub lic.test:port/"):
        with pytest.raises(InputError):
            Reach(wrong, name="the file")


@pytest.mark.parametrize("ip", ["8.8.8.8", "2606:2800:220:1::1", "2001:4860:4860::8888"])
def test_public_addresses(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    "ip",
    "10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 127.0.0.1 0.0.0.0 255.255.255.255 ::1 :: "
    "fd00::1 fe80::1%eth0 ff02::1 ::ffff:127.0.0.1 2002:7f00:1:: 224.0.0.1 64:ff9b::7f00:1 "
    "100.64.0.1 198.18.0.1 nonsense".split(),
)
def test_addresses_that_are_not(ip: str) -> None:
    assert not is_public(ip)
