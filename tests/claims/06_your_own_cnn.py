claim("about 90 of 100: accuracy", accuracy, lambda x: x > (0.87 if data.name == "Fashion-MNIST" else 0.5))
claim("none is empty: least spread of 255", min(picture.std() for picture in models.pictures), lambda x: x > 13)
claim("the same class models, loaded again", float((same.pictures == models.pictures).all()), lambda x: x == 1)
