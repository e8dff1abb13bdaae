"""What photos are called: file names, with folders where only they tell two apart."""

from __future__ import annotations

from facekit.enrollment.photo import Photo, short_names


def test_a_file_name_is_enough_where_it_is_the_only_one() -> None:
    assert short_names(["a/1.jpg", "b/2.jpg", "c/d/3.jpg"]) == ["1.jpg", "2.jpg", "3.jpg"]


def test_photos_of_one_name_get_as_many_folders_as_tell_them_apart() -> None:
    given = ["/p/2019/may/1.jpg", "/p/2020/may/1.jpg", "/p/2020/june/1.jpg", "/p/2020/june/2.jpg"]
    assert short_names(given) == ["2019/may/1.jpg", "2020/may/1.jpg", "june/1.jpg", "2.jpg"]


def test_a_photo_that_lies_above_another_and_one_named_twice() -> None:
    above, below = short_names(["/p/1.jpg", "/p/a/1.jpg"])
    assert (above, below) == ("p/1.jpg", "a/1.jpg")
    assert short_names(["/p/1.jpg", "/p/1.jpg", "/p/./1.jpg"]) == ["1.jpg"] * 3


def test_names_that_are_taken_are_given_to_nobody_else() -> None:
    assert short_names(["/new/1.jpg"], ["1.jpg"]) == ["new/1.jpg"]
    assert Photo(path="x/1.jpg").label == "1.jpg"
