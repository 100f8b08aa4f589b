"""What was checked, one line each."""


class Tally:
    def __init__(self):
        self.failed = self.passed = 0

    def check(self, what, got, want):
        good = want(got) if callable(want) else got == want
        self.passed += good
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {what}" + ("" if good else f": got {got!r}"), flush=True)

    def status(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
